"""Ops over axes: sums, means, extremes, moments, norms, orders; and what has rows: softmax, normalisations, losses."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from .core import Input, runs

NAN, INF = math.nan, math.inf


def options(m, rank):
    """Axes and keepDims as we take them, and as what they mean."""
    kind = m.integer(0, 3)
    given = {}
    axes = list(range(rank))
    if kind == 1 and rank:
        axes = m.axes(rank)
        given["axes"] = axes
    elif kind >= 2 and rank:
        axes = [m.axis(rank)]
        given["axes"] = axes[0]
    if m.chance(0.4):
        given["keepDims"] = True
    return given, axes


def kept(y, x, given, axes):
    """Puts axes of 1 back where they are to be kept."""
    if not given.get("keepDims"):
        return y
    gone = [a % x.dim() for a in axes]
    return y.reshape([1 if i in gone else n for i, n in enumerate(x.shape)])


def over(f):
    """f over the last axis, applied to the axes that options name."""

    def applied(x, given, axes):
        return kept(f(runs(x, axes)), x, given, axes)

    return applied


def first_extreme(which):
    # Gradients go to the first one, as torch's `max(dim)` does.
    return over(lambda rows: getattr(rows, which)(-1).values)


def reduce(m, name, f, data=None, empty=0.06, special=None, extra=lambda: {}, gradient=True):
    m.op(name)
    data = data or (lambda shape: m.numbers(shape))
    for i in range(m.count):
        if special and i < len(special):
            x = np.array(special[i])
            given, axes = ({"axes": -1}, [-1])
        else:
            x = data(m.shape(0, 4, empty))
            given, axes = options(m, np.ndim(x))
        given = {**given, **extra()}
        # A variance of no more numbers than the correction is none; torch's gradient is 0 or infinite there, ours NaN.
        short = math.prod(np.shape(x)[a] for a in axes) <= given.get("correction", 0)
        infinite = name in ("variance", "std") and np.isinf(x).any()
        m.add([m.x(x), given], lambda x: f(x, given, axes), gradient=gradient and not short and not infinite)


ROWS = [[[1.0, NAN, INF], [INF, 2.0, INF], [-INF, 0.0, -INF], [INF, -INF, 0.0], [NAN, NAN, NAN]]]


def sums(m):
    reduce(m, "sum", over(lambda rows: rows.sum(-1)), special=ROWS)
    reduce(m, "mean", over(lambda rows: rows.mean(-1)), empty=0, special=ROWS)
    for name in ("max", "min"):
        reduce(m, name, first_extreme(name), lambda shape: m.numbers(shape, -2, 2, 2), empty=0, special=ROWS)
        m.fails([m.x(np.zeros([0])), {}], f"there is no {name} of nothing")
        m.fails([m.x(np.zeros([2, 0])), {"axes": 1}], f"there is no {name} of nothing")
    m.op("mean")
    m.fails([m.x(np.zeros([0, 2])), {"axes": 0}], "the mean of no elements is undefined")
    for name, f in (("any", torch.any), ("all", torch.all)):
        flags = lambda shape: m.random.choice([0.0, 0.0, 1.0, NAN, -2.0], size=shape)
        reduce(m, name, over(lambda rows, f=f: f(rows != 0, -1)), flags, special=ROWS, gradient=False)
    flags = lambda shape: m.random.choice([0.0, 0.0, 1.0, NAN, -2.0], size=shape)
    reduce(m, "countNonzero", over(lambda rows: (rows != 0).sum(-1).int()), flags, special=ROWS, gradient=False)
    for name in ("argmax", "argmin"):
        m.op(name)
        for i in range(m.count):
            x = np.array(ROWS[0]) if i == 0 else m.numbers(m.shape(1, 4, 0), -2, 2, 1)
            axis = m.axis(x.ndim)
            args = [m.x(x)] if axis == -1 else [m.x(x), axis]
            m.add(args, lambda x, a=axis: getattr(x, name)(a))
        m.fails([m.x(np.zeros([2, 0]))], "axis -1 is empty")


def running(f, neutral):
    def applied(x, axis, reverse=False, exclusive=False):
        x = x.flip(axis) if reverse else x
        y = f(x, axis)
        if exclusive:
            one = torch.full_like(x.narrow(axis, 0, min(1, x.shape[axis])), neutral)
            y = torch.cat([one, y], axis).narrow(axis, 0, x.shape[axis])
        return y.flip(axis) if reverse else y

    return applied


def cumulative(m):
    for name, f in (("cumsum", running(torch.cumsum, 0)), ("cumprod", running(torch.cumprod, 1))):
        m.op(name)
        for _ in range(m.count):
            x = m.numbers(m.shape(1, 4), -2, 2, m.one_of(1, 8))
            axis = m.axis(x.ndim)
            given = m.one_of({}, {}, {"reverse": True}, {"exclusive": True}, {"reverse": True, "exclusive": True})
            args = [m.x(x), axis, given] if given else [m.x(x)] if axis == -1 else [m.x(x), axis]
            m.add(args, lambda x: f(x, axis, **given))
    # Of NaN, and beyond it, the gradient of torch goes to the last NaN.
    for name in ("cummax", "cummin"):
        m.op(name)
        for i in range(m.count):
            x = m.numbers(m.shape(1, 4), -2, 2, m.one_of(1, 8))
            axis = m.axis(x.ndim)
            args = [m.x(x)] if axis == -1 else [m.x(x), axis]
            backwards = i % 3 == 0
            args = [m.x(x), axis, {"reverse": True}] if backwards else args
            f = lambda x, axis, name=name: x.gather(axis, getattr(torch, name)(x.detach(), axis).indices)
            m.add(args, lambda x: f(x.flip(axis), axis).flip(axis) if backwards else f(x, axis))
        m.add([m.x([1.0, NAN, 2.0, INF])], lambda x: f(x, 0), gradient=False)
    reduce(m, "prod", over(lambda rows: rows.prod(-1)), lambda shape: m.numbers(shape, -2, 2, m.one_of(1, 8)), special=ROWS)


def moments(m):
    def deviations(f):
        def applied(x, given, axes):
            return kept(f(runs(x, axes), given.get("correction", 1)), x, given, axes)

        return applied

    correction = lambda: m.one_of({}, {}, {"correction": 0}, {"correction": 1}, {"correction": 2})

    one = [[[5.0]], [[3.0], [4.0]], [[2.0, 2.0, 2.0]], [[1.0, NAN, 2.0], [INF, 1.0, 2.0]]]
    offset = lambda shape: m.numbers(shape) + m.one_of(0, 0, 100)
    reduce(m, "variance", deviations(lambda rows, c: rows.var(-1, correction=c)), offset, empty=0, special=one, extra=correction)
    reduce(m, "std", deviations(lambda rows, c: rows.std(-1, correction=c)), None, empty=0, special=one, extra=correction)
    m.op("norm")
    for i in range(m.count):
        order = m.one_of(None, 2, 1, INF)
        p = 2 if order is None else order
        x = m.numbers(m.shape(0, 4, 0 if p == INF else 0.06), grain=8)
        if p == INF and i % 5:
            x = m.distinct(x.shape, 8)
        if i < 3:
            x = np.array([[0.0, 0.0], [3.0, -4.0]])
        given, axes = options(m, x.ndim)
        more = {} if order is None else {"order": float(order) if order == INF else order}
        m.add([m.x(x), {**given, **more}], lambda x: kept(norm(runs(x, axes), p), x, given, axes))
    for i in range(m.count):
        p = m.one_of(3, 0.5, 1.5, 0, -INF)
        x = m.distinct(m.shape(0, 4, 0), 8) if p == -INF else m.numbers(m.shape(0, 4, 0.06 if p > 1 else 0), grain=8)
        given, axes = options(m, x.ndim)
        more = {"order": p if isinstance(p, int) else float(p)}
        f = lambda rows: rows.abs().min(-1).values if p == -INF else norm(rows, p)
        m.add([m.x(x), {**given, **more}], lambda x: kept(f(runs(x, axes)), x, given, axes))
    distances(m)
    gone = [[[0.0, -INF], [-INF, -2.0]], [[INF, 1.0], [100.0, 100.0]], [[-100.0, -101.0]], [[NAN, 0.0]]]
    m.op("logsumexp")
    # The gradient is 0 here, as in later versions of torch; 1.13 has NaN.
    m.add([m.x([[-INF, -INF], [0.0, -INF]]), {"axes": -1}], lambda x: x.logsumexp(-1), gradient=False)
    reduce(m, "logsumexp", over(lambda rows: rows.logsumexp(-1)), lambda s: m.numbers(s, -9, 9), empty=0, special=gone)


def distances(m):
    m.op("cdist", gradient=2e-5)

    def of(p):
        def distance(a, b):
            # By norms, which torch differentiates twice, where that is its cdist, and so are the gradients.
            y = norm(a.unsqueeze(-2) - b.unsqueeze(-3), p)
            theirs = torch.cdist(a, b, p, compute_mode="donot_use_mm_for_euclid_dist")
            dy = torch.linspace(1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
            for one, other in zip((y, *grads(y, dy, a, b)), (theirs, *grads(theirs, dy, a, b))):
                assert torch.allclose(one, other, equal_nan=True), (a, b, p)
            return y

        return distance

    def grads(y, dy, *of):
        return torch.autograd.grad(y, of, dy, retain_graph=True)

    def apart(shape):
        """No two have one magnitude."""
        n = math.prod(shape)
        return ((m.random.permutation(n) + 1) / 8 * m.random.choice([-1, 1], size=n)).reshape(shape)

    for i in range(m.count):
        order = m.one_of(None, None, 2, 1, 3, INF, 1.5, 0.5)
        # torch's cdist gives all of the largest differences the whole gradient, norms a part; ours the first: there is one.
        data = apart if order == INF else m.numbers
        batch = m.shape(0, 2, 0)
        p, r, width = (m.one_of(1, 2, 3, 4, 5) for _ in range(3))
        a = data([*batch, p, width])
        b = data([*(batch if m.chance(0.6) else [1] * len(batch)), r, width])
        if order == INF:
            b = np.zeros(b.shape)
        # Equal rows, whose distance has a gradient of 0.
        if i % 4 == 0 and order != INF:
            b = b.copy()
            b[..., 0, :] = a[..., :1, :][tuple(0 for _ in batch)][0]
        given = {} if order is None else {"order": float(order) if order == INF else order}
        m.add([m.x(a), m.x(b), *([given] if given else [])], of(2 if order is None else order))
    for order in (0, 1, 2, 3, INF):
        given = {"order": float(order) if order == INF else order}
        for a, b in (((3, 0), (2, 0)), ((0, 3), (2, 3)), ((2, 3), (0, 3)), ((0, 2, 3), (0, 1, 3)), ((4, 5), (3, 5))):
            a, b = m.numbers(a, -1, 1, 1), m.numbers(b, -1, 1, 1)
            m.add([m.x(a), m.x(b), given], lambda a, b: torch.cdist(a, b, order), gradient=False)
    m.add([m.x([[1.0, NAN], [INF, 2.0], [0.0, 1.0]]), m.x([[0.0, 1.0]])], lambda a, b: torch.cdist(a, b), gradient=False)
    m.fails([m.x([[1.0, 2.0]]), m.x([[1.0]])], "cdist: a must be […, P, M] and b […, R, M]")
    m.fails([m.x([[1.0]]), m.x([[1.0]]), {"order": -1}], "cdist: the order must be 0 or more; it is -1")


def norm(rows, p):
    if p == INF:
        return rows.abs().max(-1).values
    return torch.linalg.vector_norm(rows, p, dim=-1)


def quantiles(m):
    def each(name, q):
        m.op(name, value=4e-6)
        for i in range(m.count):
            x = m.distinct(m.shape(0, 4, 0))
            given, axes = options(m, x.ndim)
            if i == 0:
                x, given, axes = np.array([[1.0, NAN, 3.0], [2.0, 3.0, 4.0]]), {"axes": 1}, [1]
            wanted = q()

            def reference(x):
                one = lambda w: kept(torch.quantile(runs(x, axes), w, -1), x, given, axes)
                return torch.stack([one(w) for w in wanted]) if isinstance(wanted, list) else one(wanted)

            args = [m.x(x), given] if name == "median" else [m.x(x), wanted, given]
            m.add(args, reference, gradient=not np.isnan(x).any())

    each("median", lambda: 0.5)
    each("quantile", lambda: m.one_of(0.25, 0.0, 1.0, 0.375, [0.125, 0.5], [0.0, 0.75, 1.0]))
    m.fails([m.x([1.0, 2.0]), 1.5], "quantile: q must lie between 0 and 1; it is 1.5")
    m.op("median")
    m.fails([m.x(np.zeros([2, 0])), {"axes": 1}], "there is no median of nothing")


def orders(m):
    m.op("argsort")
    for i in range(m.count):
        x = data_to_sort(m, i)
        descending = m.one_of(None, None, True, False)
        args = [x] if descending is None else [x, {"descending": descending}]
        m.add(args, lambda x, d=descending: torch.sort(x, dim=-1, descending=bool(d), stable=True).indices)
    m.op("sort")
    for i in range(m.count):
        x = data_to_sort(m, i)
        descending = m.one_of(None, None, True, False)
        args = [x] if descending is None else [x, {"descending": descending}]
        m.add(args, lambda x, d=descending: torch.sort(x, dim=-1, descending=bool(d), stable=True))
    m.op("topK")
    for i in range(m.count):
        x = data_to_sort(m, i)
        if x.dtype == "u32":
            continue
        k = m.integer(0, x.shape[-1])
        m.add([x, k], lambda x, k=k: (y[..., :k] for y in torch.sort(x, dim=-1, descending=True, stable=True)))


def data_to_sort(m, i):
    shape = m.shape(1, 3)
    if i % 7 == 0:
        return m.u32(m.random.integers(0, 5, size=shape))
    if i % 5 == 0:
        return m.x(m.random.choice([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 2.0], size=shape))
    return m.x(m.numbers(shape, -2, 2, m.one_of(1, 16)))


def softmaxes(m):
    for name, f in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
        m.op(name)
        # A row of nothing but -∞: NaN in torch, zeros (of the logarithm NaN) here.
        m.add([m.x([[0.0, -INF, 1.0], [INF, 0.0, 1.0], [NAN, 0.0, 0.0], [1000.0, 1000.0, -1000.0]])], lambda x: f(x, -1))
        for _ in range(m.count - 1):
            x = m.numbers(m.shape(1, 4, 0), -6, 6, 8)
            axis = m.axis(x.ndim)
            m.add([m.x(x)] if axis == -1 and m.chance(0.5) else [m.x(x), axis], lambda x, a=axis: f(x, a))


def normalisations(m):
    m.op("layerNorm", value=2e-5, gradient=5e-5)
    for _ in range(m.count):
        shape = m.shape(1, 4, 0) if m.chance(0.9) else [0, 3]
        width = shape[-1]
        eps = m.one_of(1e-5, 1e-6, 0.5)
        # In a row of (almost) equal numbers the gradient is a multiple of 1/√eps.
        eps = 0.5 if width < 3 else eps
        args = [m.x(m.distinct(shape)), m.x(m.numbers([width])), m.x(m.numbers([width])), eps]
        m.add(args, lambda x, w, b: F.layer_norm(x, [width], w, b, eps))
    m.op("l2Normalize")
    for i in range(m.count):
        x = m.numbers(m.shape(1, 4), grain=8)
        eps = m.one_of(None, None, 0.5, 4.0)
        if i == 0:
            x, eps = np.array([[0.0, 0.0], [3.0, 4.0]]), 0.5
        if eps is None:
            x = np.where(x == 0, 1.0, x)
        m.add([m.x(x)] if eps is None else [m.x(x), eps], lambda x: F.normalize(x, dim=-1, eps=eps or 1e-12))
    m.op("batchNormEval")
    for _ in range(m.count // 2):
        shape = m.shape(1, 4)
        width = shape[-1]
        vectors = [m.numbers([width]), m.numbers([width], 1 / 4, 3), m.numbers([width]), m.numbers([width])]
        eps = m.one_of(1e-5, 1e-3)
        args = [m.x(m.numbers(shape)), *[m.x(v) for v in vectors], eps]
        m.add(args, lambda x, mean, var, w, b: (x - mean) / torch.sqrt(var + eps) * w + b)


def likelihoods(m):
    m.op("nllLoss", value=1e-5)
    for i in range(m.count // 2):
        shape = m.shape(1, 3, 0)
        count = shape[-1]
        ids = m.random.integers(0, count, size=shape[:-1])
        given = {}
        if i % 3 == 0:
            given["weights"] = Input(m.numbers([count], 1, 3), constant=True)
        if i % 4 == 0 and count > 1:
            given["ignoreIndex"] = count - 1
            ids = np.minimum(ids, count - 2) if ids.ndim == 0 else ids
            if np.all(ids == count - 1):
                ids = ids * 0
        if m.chance(0.5):
            given["reduction"] = m.one_of("mean", "sum", "none")

        def reference(x, ids, *weights):
            y = F.nll_loss(
                x.reshape(-1, count),
                ids.reshape(-1),
                weights[0].detach() if weights else None,
                ignore_index=given.get("ignoreIndex", -100),
                reduction=given.get("reduction", "mean"),
            )
            return y.reshape(ids.shape) if given.get("reduction") == "none" else y

        m.add([m.x(m.numbers(shape)), m.u32(ids), given], reference)
    m.op("gaussianNll", value=1e-5)
    for i in range(m.count // 2):
        shape = m.shape(0, 3, 0)
        given = m.one_of({}, {"full": True}, {"reduction": "sum"}, {"reduction": "none"}, {"eps": 0.5})
        more = {"full": given.get("full", False), "eps": given.get("eps", 1e-6), "reduction": given.get("reduction", "mean")}
        args = [m.x(m.numbers(shape)), m.x(m.numbers(shape)), m.x(m.numbers(shape, 1 / 4, 3)), given]
        m.add(args, lambda a, b, v, more=more: F.gaussian_nll_loss(a, b, v, **more))
    m.op("tripletMarginLoss", value=1e-5, gradient=2e-5)
    for i in range(m.count // 2):
        shape = m.shape(2, 2, 0)
        given = m.one_of({}, {"margin": 3.0}, {"reduction": "sum"}, {"reduction": "none"}, {"swap": True}, {"order": 1})
        more = {k: v for k, v in given.items() if k != "order"}
        p = given.get("order", 2)
        args = [m.x(m.distinct(shape)) for _ in range(3)]
        # Of equal distances the gradient goes to the first; torch gives each half.
        f = lambda a, b, c, more=more, p=p: F.triplet_margin_loss(a, b, c, p=p, **more)
        m.add([*args, given], f, gradient="swap" not in given)


def losses(m):
    for name, f in (("mse", F.mse_loss), ("l1", F.l1_loss)):
        m.op(name)
        for _ in range(m.count):
            shape = m.shape(0, 4, 0)
            reduction = m.one_of(None, "mean", "sum")
            a, b = m.x(m.numbers(shape, grain=4)), m.x(m.numbers(shape, grain=4))
            args = [a, b] if reduction is None else [a, b, reduction]
            m.add(args, lambda a, b, r=reduction or "mean": f(a, b, reduction=r))
    cross_entropy(m)
    more_losses(m)


def cross_entropy(m):
    m.op("crossEntropy")
    for _ in range(m.count):
        shape, classes = m.shape(0, 3, 0, limit=6) if m.chance(0.5) else [m.integer(1, 6)], m.integer(1, 9)
        ids = m.random.integers(0, classes, size=shape)
        given, theirs = {}, {"reduction": "mean"}
        reduction = m.one_of(None, "mean", "sum", "none")
        if reduction:
            given["reduction"] = theirs["reduction"] = reduction
        if m.chance(0.3):
            given["labelSmoothing"] = theirs["label_smoothing"] = m.one_of(0.1, 0.25, 1.0)
        if m.chance(0.4):
            ignored = given["ignoreIndex"] = theirs["ignore_index"] = m.one_of(0, 255)
            ids[m.random.random(ids.shape) < 0.3] = ignored
            if (ids == ignored).all():
                # torch's mean of no rows is NaN, ours 0.
                given["reduction"] = theirs["reduction"] = "sum"
        axis = m.axis(len(shape) + 1) if m.chance(0.4) else -1
        if axis != -1:
            given["axis"] = axis
        logits = np.moveaxis(m.numbers([*shape, classes], -6, 6), -1, axis)
        if m.chance(0.3):
            given["weights"] = m.x(m.numbers([classes], 1 / 4, 2, 4))

        def reference(x, c, weights=None, axis=axis):
            rows = x.movedim(axis, -1).reshape(-1, classes)
            weights = weights if weights is None else weights.detach()
            y = F.cross_entropy(rows, c.reshape(-1), weight=weights, **theirs)
            return y.reshape(c.shape) if theirs["reduction"] == "none" else y

        m.add([m.x(logits), m.u32(ids), *([given] if given else [])], reference)


def more_losses(m):
    def reduction(given, theirs, *more):
        # `batchMean` is `batchmean` there.
        chosen = m.one_of(None, "mean", "sum", "none", *more)
        if chosen:
            given["reduction"] = chosen
            theirs["reduction"] = chosen.lower()

    m.op("huber")
    for _ in range(m.count):
        shape, given, theirs = m.shape(0, 4, 0), {}, {}
        reduction(given, theirs)
        if m.chance(0.5):
            given["delta"] = theirs["delta"] = m.one_of(0.5, 2.0)
        a, b = m.x(m.numbers(shape, grain=4)), m.x(m.numbers(shape, grain=4))
        m.add([a, b, *([given] if given else [])], lambda a, b: F.huber_loss(a, b, **theirs))
    m.op("binaryCrossEntropyWithLogits")
    for _ in range(m.count):
        shape, given, theirs = m.shape(0, 4, 0), {}, {}
        reduction(given, theirs)
        if m.chance(0.3):
            given["weights"] = float(m.one_of(0.5, 2))
            theirs["weight"] = torch.tensor(given["weights"], dtype=torch.float64)
        if m.chance(0.3):
            given["positiveWeight"] = float(m.one_of(0.5, 3))
            theirs["pos_weight"] = torch.tensor(given["positiveWeight"], dtype=torch.float64)
        x, t = m.x(m.numbers(shape, -9, 9)), m.x(m.numbers(shape, 0, 1, 4))
        m.add([x, t, *([given] if given else [])], lambda x, t: F.binary_cross_entropy_with_logits(x, t, **theirs))
    m.op("klDivergence")
    for _ in range(m.count):
        shape, given, theirs = m.shape(1, 4, 0), {}, {}
        reduction(given, theirs, "batchMean")
        logs = m.chance(0.4)
        if logs:
            given["logTarget"] = theirs["log_target"] = True
        q = m.x(m.numbers(shape, -4, 0))
        p = m.x(m.numbers(shape, -4, 0) if logs else m.numbers(shape, 1 / 8, 1))
        m.add([q, p, *([given] if given else [])], lambda q, p: F.kl_div(q, p, **theirs))
    m.op("cosineSimilarity")
    for _ in range(m.count):
        shape, given = m.shape(1, 3, 0), {}
        other = [1 if m.chance(0.2) and i < len(shape) - 1 else n for i, n in enumerate(shape)]
        axis = -1
        if shape == other and m.chance(0.4):
            axis = given["axis"] = m.axis(len(shape))
        eps = 1e-8
        if m.chance(0.2):
            eps = given["eps"] = 2.0
        a, b = (m.numbers(n, 1 / 4, 2) * m.one_of(1, -1) for n in (shape, other))
        m.add([m.x(a), m.x(b), *([given] if given else [])], lambda a, b, axis=axis: cosine(a, b, axis, eps))
    m.op("cosineEmbeddingLoss")
    for _ in range(m.count):
        n, d, given, theirs = m.integer(1, 4), m.integer(1, 5), {}, {}
        reduction(given, theirs)
        if m.chance(0.4):
            given["margin"] = theirs["margin"] = 0.25
        labels = m.x(m.random.choice([-1.0, 1.0], size=[n]))
        a, b = (m.numbers([n, d], 1 / 4, 2) * m.random.choice([-1, 1], size=[n, 1]) for _ in range(2))
        args = [m.x(a), m.x(b), labels, *([given] if given else [])]
        m.add(args, lambda a, b, t: F.cosine_embedding_loss(a, b, t, **theirs))


def cosine(a, b, axis, eps):
    """torch 1.13 squares eps together with both norms; later versions, as ours, hold each norm."""
    norm = lambda x: torch.linalg.vector_norm(x, dim=axis).clamp(min=eps)
    return (a * b).sum(axis) / (norm(a) * norm(b))


def make(m):
    sums(m)
    cumulative(m)
    moments(m)
    quantiles(m)
    orders(m)
    softmaxes(m)
    normalisations(m)
    losses(m)
    likelihoods(m)
