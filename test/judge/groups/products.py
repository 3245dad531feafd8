"""Products, attention, convolutions and pooling."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from .core import DEVICE, Input
from .pointwise import quick_gelu

ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick-gelu": quick_gelu,
    "relu": torch.relu,
}


# How a product may be: each form has kernels of its own, which take long to compile, so there are few. Rows, inner, columns and options;
# sizes are those or smaller ones that are no multiples of 4, either.
FORMS = [
    (5, 7, 3, {}),
    (8, 4, 8, {}),
    (3, 5, 7, {"bias": True}),
    (4, 8, 4, {"bias": True, "residual": True}),
    (5, 3, 5, {"residual": True, "activation": "relu"}),
    (7, 5, 3, {"bias": True, "activation": "gelu"}),
    (3, 3, 1, {"activation": "gelu-tanh"}),
    (3, 7, 3, {"activation": "quick-gelu"}),
]


def sizes(m, form):
    """Rows, inner and columns of a form, and its options; one of the three may be 0."""
    made = [int(m.one_of(4, 8) if n % 4 == 0 else m.one_of(1, 3, 5, 7)) for n in form[:3]]
    if m.chance(0.05):
        made[m.integer(0, 2)] = 0
    return [*made, dict(form[3])]


def fill(m, given, width, shape):
    """Puts tensors in the places of bias and residual."""
    if "bias" in given:
        given["bias"] = m.x(m.numbers([width]))
    if "residual" in given:
        given["residual"] = m.x(m.numbers(shape))


def finished(y, given, rest):
    """The same of the reference; `rest` are the tensors, in the order of the options."""
    rest = list(rest)
    tensors = {k: rest.pop(0) for k in given if k in ("bias", "residual")}
    if "bias" in tensors:
        y = y + tensors["bias"]
    if "activation" in given:
        y = ACTIVATIONS[given["activation"]](y)
    return y + tensors["residual"] if "residual" in tensors else y


def products(m):
    m.op("matmul", value=1e-5, gradient=2e-5)
    for i in range(m.count):
        rows, inner, cols, given = sizes(m, FORMS[i % 4])
        batch = m.shape(0, 2, 0.03, limit=6)
        a = [1 if m.chance(0.3) else n for n in batch]
        b = [1 if m.chance(0.3) else n for n in batch][m.integer(0, len(batch)) :]
        front = list(np.broadcast_shapes(tuple(a), tuple(b)))
        # As they lie, or turned, where there is nothing else to compile.
        ta, tb = (m.chance(0.3), m.chance(0.3)) if not given and inner % 4 else (False, False)
        given.update({k: True for k, v in (("transposeA", ta), ("transposeB", tb)) if v})
        fill(m, given, cols, front + [rows, cols])
        x = m.x(m.numbers(a + ([inner, rows] if ta else [rows, inner]), grain=8))
        y = m.x(m.numbers(b + ([cols, inner] if tb else [inner, cols]), grain=8))

        def reference(a, b, *rest):
            return finished((a.mT if ta else a) @ (b.mT if tb else b), given, rest)

        m.add([x, y, *([given] if given else [])], reference)
    m.fails([m.x(np.ones([3])), m.x(np.ones([3]))], "both must have at least two axes")
    m.op("linear", value=1e-5, gradient=2e-5)
    for i in range(m.count):
        _, inner, out, given = sizes(m, FORMS[i % len(FORMS)])
        front = m.shape(0, 3, limit=8)
        fill(m, given, out, front + [out])
        x, w = m.x(m.numbers(front + [inner], grain=8)), m.x(m.numbers([out, inner], grain=8))
        m.add([x, w, *([given] if given else [])], lambda x, w, *rest: finished(x @ w.T, given, rest))
    m.op("einsum", value=1e-5, gradient=2e-5)
    equations = """ij,jk->ik ij,kj->ik i,i-> i,j->ij ij->ji ij-> ii->i ii-> ij->i bij,bjk->bik bnd,bmd->bnm ij,jk ...ij->...ji
        ...ij,...jk->...ik ij,jk,kl->il i,ij,j-> bhnd,bhmd->bhnm abc,cd->abd ab,ab->ab ab,b->a iij->j ab,cb,c->a ji ba,ca bij->bj""".split()
    for i in range(m.count):
        equation = equations[i % len(equations)]
        lengths = {c: m.one_of(1, 2, 3, 4) for c in sorted(set(equation)) if c.isalpha()}
        dots = m.shape(0, 2, 0, limit=4)
        operands = []
        for term in equation.split("->")[0].split(","):
            some = [1 if m.chance(0.2) else n for n in dots][m.integer(0, len(dots)) :] if "..." in term else []
            operands.append(m.x(m.numbers(some + [lengths[c] for c in term.replace("...", "")], grain=8)))
        m.add([equation, *operands], lambda *xs: torch.einsum(equation, *xs))


def attend(q, k, v, scale, causal=False):
    scores = (q @ k.mT) * scale
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(hidden, -math.inf)
    return torch.softmax(scores, -1) @ v


def heads(x, count):
    b, n, c = x.shape
    return x.reshape(b, n, count, c // count).transpose(1, 2)


def together(x):
    b, h, n, d = x.shape
    return x.transpose(1, 2).reshape(b, n, h * d)


def attentions(m):
    data = lambda *shape: m.x(m.numbers(shape, -2, 2, 8))

    def options():
        given = {}
        if m.chance(0.4):
            given["scale"] = float(m.one_of(0.5, 0.25, 1))
        return given

    m.op("attention", value=1e-5, gradient=3e-5)
    for _ in range(m.count):
        b, h, n, d = m.integer(1, 2), m.integer(1, 2), m.integer(1, 4), m.one_of(3, 8)
        given = options()
        causal = m.chance(0.4)
        k = n if causal else m.integer(1, 5)
        if causal:
            given["causal"] = True
        scale = given.get("scale", d**-0.5)
        args = [data(b, h, n, d), data(b, h, k, d), data(b, h, k, d), *([given] if given else [])]
        m.add(args, lambda q, k, v: attend(q, k, v, scale, causal))
    for _ in range(m.count // 2):
        masked(m)
    m.op("qkvAttention", value=1e-5, gradient=3e-5)
    for _ in range(m.count // 2):
        b, h, n, d = m.integer(1, 2), m.integer(1, 2), m.integer(1, 4), 3
        given = options()
        causal = m.chance(0.4)
        if causal:
            given["causal"] = True
        scale = given.get("scale", d**-0.5)

        def reference(x, h=h, scale=scale, causal=causal):
            q, k, v = (heads(part, h) for part in x.chunk(3, -1))
            return together(attend(q, k, v, scale, causal))

        m.add([data(b, n, 3 * h * d), h, *([given] if given else [])], reference)
    m.op("crossAttention", value=1e-5, gradient=3e-5)
    for _ in range(m.count // 2):
        b, h, n, k, d = m.integer(1, 2), m.integer(1, 2), m.integer(1, 4), m.integer(1, 4), 3
        given = options()
        scale = given.get("scale", d**-0.5)
        args = [data(b, n, h * d), data(b, k, h * d), data(b, k, h * d), h, *([given] if given else [])]
        m.add(args, lambda q, k, v: together(attend(heads(q, h), heads(k, h), heads(v, h), scale)))


def masked(m):
    """Masks, heads that share keys, and keys of earlier steps."""
    b, g, each, n, k, d = m.integer(1, 2), m.integer(1, 2), m.integer(1, 3), m.integer(1, 4), m.integer(1, 5), 3
    given, hidden, added = {}, None, None
    if m.chance(0.3):
        k = n + m.integer(0, 2)
        given["causal"] = "end"
        hidden = torch.ones(n, k, dtype=torch.bool).triu(k - n + 1)
    elif m.chance(0.7):
        shape = m.one_of([n, k], [k], [b, 1, 1, k], [b, g * each, n, k], [1, 1, n, k])
        if m.chance(0.5):
            seen = m.random.integers(0, 2, size=shape)
            seen[..., 0] = 1
            given["mask"], hidden = m.u32(seen), torch.from_numpy(seen == 0)
        else:
            given["mask"] = m.x(m.numbers(shape))
            added = True

    def reference(q, k, v, mask=None):
        scores = (q @ k.repeat_interleave(each, 1).mT) * d**-0.5
        scores = scores + mask if added else scores
        scores = scores if hidden is None else scores.masked_fill(hidden, -math.inf)
        return torch.softmax(scores, -1) @ v.repeat_interleave(each, 1)

    data = lambda *shape: m.x(m.numbers(shape, -2, 2, 8))
    m.add([data(b, g * each, n, d), data(b, g, k, d), data(b, g, k, d), *([given] if given else [])], reference)


def rotary(m):
    m.op("rotaryTable", value=1e-6)
    for _ in range(m.count // 3):
        length, width, base = m.integer(0, 9), 2 * m.integer(1, 4), m.one_of(None, 100.0)
        angles = torch.arange(length, dtype=torch.float64)[:, None] * (base or 10000.0) ** (
            -2 * torch.arange(width // 2, dtype=torch.float64) / width
        )
        args = [DEVICE, length, width] + ([base] if base else [])
        m.add(args, lambda: torch.cat([angles.cos(), angles.sin()], 1))
    m.op("rotaryEmbedding")
    for _ in range(m.count):
        n, half = m.integer(1, 5), m.integer(1, 3)
        front = m.shape(0, 2, 0, limit=4)
        table = Input(m.numbers([m.integer(n, 7), 2 * half], -1, 1), constant=True)
        given, places = {}, list(range(n))
        if m.chance(0.4):
            places = m.random.integers(0, table.shape[0], size=n)
            given["positions"] = m.u32(places)
        pairs = m.chance(0.4)
        if pairs:
            given["interleaved"] = True

        def reference(x, table, *_):
            cos, sin = table[places].chunk(2, 1)
            a, b = (x[..., ::2], x[..., 1::2]) if pairs else x.chunk(2, -1)
            y = [a * cos - b * sin, b * cos + a * sin]
            return torch.stack(y, -1).flatten(-2) if pairs else torch.cat(y, -1)

        m.add([m.x(m.numbers([*front, n, 2 * half])), table, *([given] if given else [])], reference)


def last(x):
    """Channels first to last."""
    return x.movedim(1, -1)


def first(x, channels):
    return x if channels == "first" else x.movedim(-1, 1)


def back(y, channels):
    return y if channels == "first" else y.movedim(1, -1)


def image(m, b, c, *sides, grain=8):
    """An image with channels first or last, and which."""
    channels = m.one_of("last", "last", "first")
    shape = [b, c, *sides] if channels == "first" else [b, *sides, c]
    return m.x(m.numbers(shape, grain=grain)), channels


def convolutions(m):
    for rank, name, f in ((1, "conv1d", F.conv1d), (2, "conv2d", F.conv2d)):
        m.op(name, value=1e-5, gradient=2e-5)
        for _ in range(m.count):
            b, groups = m.integer(1, 2), m.one_of(1, 1, 1, 3)
            # The products' sizes are all multiples of 4, or none is.
            four = groups == 1 and m.chance(0.2)
            per, out = (4, 4) if four else (m.one_of(1, 3), groups * m.one_of(1, 3))
            sides = [m.integer(3, 6) if rank == 2 else m.integer(3, 9) for _ in range(rank)]
            window = [m.one_of(1, 3) if not four else m.integer(1, 3) for _ in range(rank)]
            given = {}
            for option, values in (("stride", (2, 3)), ("padding", (1, 2)), ("dilation", (2,))):
                if m.chance(0.35):
                    given[option] = m.one_of(*values)
            if rank == 2 and "padding" in given and m.chance(0.3):
                given["padding"] = [m.integer(0, 2), m.integer(0, 2)]
            pad = given.get("padding", 0)
            pads = pad if isinstance(pad, list) else [pad] * rank
            if any(n + 2 * p < (w - 1) * given.get("dilation", 1) + 1 for n, p, w in zip(sides, pads, window)):
                continue
            more = dict(given)
            if groups > 1:
                given["groups"] = more["groups"] = groups
            x, channels = image(m, b, groups * per, *sides)
            if channels == "first":
                given["channels"] = channels
            if m.chance(0.5):
                given["bias"] = m.x(m.numbers([out]))
                if rank == 2 and m.chance(0.4):
                    given["activation"] = "relu"
            if isinstance(more.get("padding"), list):
                more["padding"] = tuple(more["padding"])
            w = m.x(m.numbers([out, per, *window], grain=8))

            def reference(x, w, bias=None):
                y = back(f(first(x, channels), w, bias, **more), channels)
                return ACTIVATIONS[given["activation"]](y) if "activation" in given else y

            m.add([x, w, *([given] if given else [])], reference)
    m.op("convTranspose2d", value=1e-5, gradient=2e-5)
    for _ in range(m.count):
        four = m.chance(0.2)
        b, c, out = m.integer(1, 2), 4 if four else m.one_of(1, 3), 4 if four else m.one_of(1, 3)
        sides = [m.integer(1, 4) for _ in range(2)]
        window = [m.integer(1, 3) if four else m.one_of(1, 3) for _ in range(2)]
        given = {}
        for option, values in (("stride", (2, 3)), ("dilation", (2,)), ("padding", (1,))):
            if m.chance(0.4):
                given[option] = m.one_of(*values)
        stride, dilation, padding = given.get("stride", 1), given.get("dilation", 1), given.get("padding", 0)
        if max(stride, dilation) > 1 and m.chance(0.4):
            given["outputPadding"] = max(stride, dilation) - 1
        if any((n - 1) * stride - 2 * padding + dilation * (k - 1) + 1 < 1 for n, k in zip(sides, window)):
            continue
        more = {"output_padding" if k == "outputPadding" else k: v for k, v in given.items()}
        x, channels = image(m, b, c, *sides)
        if channels == "first":
            given["channels"] = channels
        if m.chance(0.5):
            given["bias"] = m.x(m.numbers([out]))
        w = m.x(m.numbers([c, out, *window], grain=8))
        args = [x, w, *([given] if given else [])]
        m.add(args, lambda x, w, bias=None: back(F.conv_transpose2d(first(x, channels), w, bias, **more), channels))
    m.op("patchEmbed", value=1e-5, gradient=2e-5)
    for _ in range(m.count // 2):
        b, c, out, p = m.integer(1, 2), m.one_of(1, 3), m.one_of(1, 3), m.one_of(1, 3)
        h, w = p * m.integer(1, 3), p * m.integer(1, 3)
        args = [m.x(m.numbers([b, c, h, w], grain=8)), m.x(m.numbers([out, c, p, p], grain=8))]
        args += [m.x(m.numbers([out]))] if m.chance(0.6) else []
        m.add(args, lambda x, w, bias=None: F.conv2d(x, w, bias, stride=p).flatten(2).mT)


CEILED = (
    ([3, 3], [2, 2], 0, [2, 5]),
    ([3, 2], [2, 2], 0, [2, 3]),
    ([3, 3], [3, 3], 1, [1, 4]),
    ([4, 3], [3, 2], [2, 1], [3, 2]),
    ([3, 3], [2, 1], 0, [2, 4]),
    ([2, 3], [3, 5], [1, 0], [3, 4]),
)


def pooling(m):
    for name in ("maxPool2d", "avgPool2d"):
        m.op(name, value=1e-5, gradient=1e-5)
        for i in range(m.count):
            given, more = {}, {}
            ours = m.integer(1, 3)
            window = [ours, ours]
            if m.chance(0.5):
                given["stride"] = more["stride"] = m.integer(1, 3)
                if m.chance(0.5):
                    ours = window = [m.integer(1, 3), m.integer(1, 3)]
            most = min(window) // 2
            if most and m.chance(0.5):
                given["padding"] = more["padding"] = most
            if name == "avgPool2d" and "padding" in given and m.chance(0.5):
                given["countPadding"] = more["count_include_pad"] = m.chance(0.5)
            x, channels = image(m, m.integer(1, 2), m.one_of(1, 2, 3, 4), m.integer(3, 6), m.integer(3, 6), grain=2)
            if name == "maxPool2d" and i < 4:
                x.data.ravel()[:: 3 + i] = math.nan
            if channels == "first":
                given["channels"] = channels
            f = F.max_pool2d if name == "maxPool2d" else F.avg_pool2d
            back = (lambda y: y) if channels == "first" else last
            # Of several NaN in a window the gradient is the first one's here, the last one's in torch.
            certain = not np.isnan(x.data).any()
            m.add([x, ours, *([given] if given else [])], lambda x: back(f(first(x, channels), window, **more)), certain)
        # Windows of ceil_mode that begin in the image and end beyond it, also the only ones.
        for i, (window, stride, padding, sides) in enumerate(CEILED):
            more = {"stride": stride, "padding": padding}
            if name == "avgPool2d" and i % 2:
                more["count_include_pad"] = False
            given = {"stride": stride, "padding": padding, "ceilMode": True, **({} if len(more) == 2 else {"countPadding": False})}
            x = m.x(m.distinct([1, *sides, 2], grain=2))
            f = F.max_pool2d if name == "maxPool2d" else F.avg_pool2d
            m.add([x, window, given], lambda x: last(f(first(x, "last"), window, ceil_mode=True, **more)))
    for name, f in (("maxPool1d", F.max_pool1d), ("avgPool1d", F.avg_pool1d)):
        m.op(name)
        for _ in range(m.count // 2):
            window, given, more = m.integer(1, 3), {}, {}
            if m.chance(0.5):
                given["stride"] = more["stride"] = m.integer(1, 3)
            if window > 1 and m.chance(0.5):
                given["padding"] = more["padding"] = window // 2
                if name == "avgPool1d" and m.chance(0.5):
                    given["countPadding"] = more["count_include_pad"] = m.chance(0.5)
            x, channels = image(m, m.integer(1, 2), m.one_of(1, 2, 3, 4), m.integer(3, 9), grain=2)
            if channels == "first":
                given["channels"] = channels
            back = (lambda y: y) if channels == "first" else last
            m.add([x, window, *([given] if given else [])], lambda x: back(f(first(x, channels), window, **more)))
    m.op("adaptiveMaxPool2d")
    for _ in range(m.count // 2):
        x, channels = image(m, m.integer(1, 2), m.one_of(1, 3, 4), m.integer(1, 6), m.integer(1, 6))
        # Of several maxima, which one the gradient goes to is open.
        x.data = np.float32(m.distinct(x.shape))
        height, width = m.integer(1, 6), m.integer(1, 6)
        back = (lambda y: y) if channels == "first" else last
        args = [x, height, width, *([{"channels": "first"}] if channels == "first" else [])]
        m.add(args, lambda x: back(F.adaptive_max_pool2d(first(x, channels), (height, width))))
    m.op("adaptiveAvgPool2d", value=1e-5, gradient=1e-5)
    for _ in range(m.count):
        x, channels = image(m, m.integer(1, 2), m.one_of(1, 3, 4), m.integer(1, 6), m.integer(1, 6))
        height, width = m.integer(1, 6), m.integer(1, 6)
        back = (lambda y: y) if channels == "first" else last
        args = [x, height, width, *([{"channels": "first"}] if channels == "first" else [])]
        m.add(args, lambda x: back(F.adaptive_avg_pool2d(first(x, channels), (height, width))))


def unfolding(m):
    m.op("unfold", value=0, gradient=1e-6)
    for _ in range(m.count):
        b, c, sides, window, given, L = windows(m)
        x, channels = image(m, b, c, *sides)
        ours = {**given, **({"channels": "first"} if channels == "first" else {})}

        def rows(x):
            y = F.unfold(first(x, channels), window, **given)
            # Channels last list the channels of each pixel together.
            return y if channels == "first" else y.reshape(b, c, -1, y.shape[-1]).permute(0, 3, 2, 1).reshape(b, y.shape[-1], -1)

        m.add([x, window, *([ours] if ours else [])], rows)
    m.fails([m.x(np.zeros([1, 2, 2, 1])), 3], "unfold: a window of 3 × 3 does not fit, with padding 0")
    m.op("fold", value=1e-6, gradient=1e-6)
    for _ in range(m.count):
        b, c, sides, window, given, L = windows(m)
        isFirst = m.chance(0.4)
        ours = {**given, **({"channels": "first"} if isFirst else {})}
        taps = window[0] * window[1]
        x = m.x(m.numbers([b, c * taps, L] if isFirst else [b, L, taps * c]))

        def pixels(x):
            rows = x if isFirst else x.reshape(b, L, taps, c).permute(0, 3, 2, 1).reshape(b, c * taps, L)
            y = F.fold(rows, sides, window, **given)
            return y if isFirst else last(y)

        m.add([x, sides, window, *([ours] if ours else [])], pixels)
    m.fails([m.x(np.zeros([1, 5, 4])), [3, 3], 2], "L must be 4 (5)")


def grid_sample(x, g, mode, padding_mode, align_corners):
    """F.grid_sample by ops that torch differentiates twice; whose values and gradients it must have."""
    b, _, height, width = x.shape

    def place(g, n):
        at = (g + 1) / 2 * (n - 1) if align_corners else ((g + 1) * n - 1) / 2
        if padding_mode == "reflection":
            low, span = (0, n - 1) if align_corners else (-0.5, n)
            if span == 0:
                return at * 0
            away = (at - low).abs()
            flips = torch.floor(away / span).detach()
            rest = away - flips * span
            at = torch.where(flips % 2 == 1, span - rest, rest) + low
        return at if padding_mode == "zeros" else at.clamp(0, n - 1)

    def pixels(i, j):
        inside = (i >= 0) & (j >= 0) & (i < height) & (j < width)
        at = (i.clamp(0, height - 1) * width + j.clamp(0, width - 1)).long()
        y = x.flatten(2).gather(2, at.flatten(1)[:, None].expand(-1, x.shape[1], -1)).reshape(b, -1, *i.shape[1:])
        return y * inside[:, None]

    across, down = place(g[..., 0], width), place(g[..., 1], height)
    if mode == "nearest":
        y = pixels(torch.round(down.detach()), torch.round(across.detach())) + 0 * g.sum()
    else:
        y = 0
        for u in (0, 1):
            for v in (0, 1):
                i, j = torch.floor(down.detach()) + u, torch.floor(across.detach()) + v
                y = y + pixels(i, j) * ((1 - (down - i).abs()) * (1 - (across - j).abs()))[:, None]
    theirs = F.grid_sample(x, g, mode, padding_mode, align_corners)
    dy = torch.linspace(1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    both = [(one, *torch.autograd.grad(one, (x, g), dy, retain_graph=True)) for one in (y, theirs)]
    assert all(torch.allclose(one, other) for one, other in zip(*both)), (x, g, mode, padding_mode, align_corners)
    return y


def volumes(m):
    m.op("conv3d", value=1e-5, gradient=2e-5)
    for _ in range(m.count // 2):
        b, groups = m.integer(1, 2), m.one_of(1, 1, 1, 3)
        per, out = m.one_of(1, 3), groups * m.one_of(1, 3)
        sides, window = [m.integer(2, 4) for _ in range(3)], [m.one_of(1, 2, 3) for _ in range(3)]
        given = {}
        for option, least, most in (("stride", 1, 2), ("padding", 0, 2), ("dilation", 1, 2)):
            if m.chance(0.35):
                given[option] = m.one_of(most, [m.integer(least, most) for _ in range(3)])
        more = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        three = lambda option, value: [given.get(option, value)] * 3 if not isinstance(given.get(option), list) else given[option]
        p, d = three("padding", 0), three("dilation", 1)
        if any(sides[i] + 2 * p[i] < (window[i] - 1) * d[i] + 1 for i in range(3)):
            continue
        if groups > 1:
            given["groups"] = more["groups"] = groups
        x, channels = image(m, b, groups * per, *sides)
        if channels == "first":
            given["channels"] = channels
        if m.chance(0.5):
            given["bias"] = m.x(m.numbers([out]))
        w = m.x(m.numbers([out, per, *window], grain=8))
        args = [x, w, *([given] if given else [])]
        m.add(args, lambda x, w, bias=None: back(F.conv3d(first(x, channels), w, bias, **more), channels))
    for name, f in (("maxPool3d", F.max_pool3d), ("avgPool3d", F.avg_pool3d)):
        m.op(name)
        for _ in range(m.count // 2):
            window, given, more = m.one_of(1, 2, 3, [m.integer(1, 3) for _ in range(3)]), {}, {}
            if m.chance(0.5):
                given["stride"] = more["stride"] = m.one_of(1, 2, [m.integer(1, 3) for _ in range(3)])
            most = min(window if isinstance(window, list) else [window]) // 2
            if most and m.chance(0.5):
                given["padding"] = more["padding"] = most
                if name == "avgPool3d" and m.chance(0.5):
                    given["countPadding"] = more["count_include_pad"] = m.chance(0.5)
            if m.chance(0.3):
                given["ceilMode"] = more["ceil_mode"] = True
            x, channels = image(m, m.integer(1, 2), m.one_of(1, 2, 4), *(m.integer(3, 4) for _ in range(3)))
            if name == "maxPool3d":
                x.data = np.float32(m.distinct(x.shape))
            if channels == "first":
                given["channels"] = channels
            theirs = lambda x: back(f(first(x, channels), window, **more), channels)
            m.add([x, window, *([given] if given else [])], theirs)


def sampling(m):
    m.op("gridSample", value=2e-5, gradient=1e-4)
    for i in range(m.count):
        b, c, sides = m.integer(1, 2), m.one_of(1, 2, 3, 4), [m.integer(1, 5), m.integer(1, 5)]
        given, theirs = {}, {"mode": "bilinear", "padding_mode": "zeros", "align_corners": False}
        for option, other, values in (
            ("mode", "mode", ("bilinear", "nearest")),
            ("padding", "padding_mode", ("zeros", "border", "reflection")),
            ("alignCorners", "align_corners", (True, False)),
        ):
            if m.chance(0.6):
                given[option] = theirs[other] = values[m.integer(0, len(values) - 1)]
        x, channels = image(m, b, c, *sides)
        if channels == "first":
            given["channels"] = channels
        # In the cells between pixels, not on their lines, where the slope of the grid changes; three images wide.
        h, w = m.integer(1, 3), m.integer(1, 3)
        axes = []
        for n in sides[::-1]:
            at = m.random.integers(-n - 1, 2 * n + 1, size=[b, h, w]) + 0.1 + m.random.integers(0, 9, size=[b, h, w]) * 0.1
            # Halfway two pixels are equally near.
            at += 0.03
            axes.append((2 * at / max(n - 1, 1) if theirs["align_corners"] else (2 * at + 1) / n) - 1)
        grid = m.x(np.round(np.stack(axes, -1), 4))
        back = (lambda y: y) if channels == "first" else last
        m.add([x, grid, *([given] if given else [])], lambda x, g: back(grid_sample(first(x, channels), g, **theirs)))
    # Beyond all, and of one pixel.
    for padding in ("zeros", "border", "reflection"):
        far = m.x([[[[2.5, 0.3], [-7.25, 1.125], [0.125, -40.1], [5.0 if padding == "reflection" else 1e9, 0.1]]]])
        x = m.x(m.numbers([1, 4, 3, 2]))
        m.add(
            [x, far, {"padding": padding}],
            lambda x, g: last(grid_sample(first(x, "last"), g, "bilinear", padding, False)),
        )
    m.fails([m.x(np.zeros([1, 2, 2, 1])), m.x(np.zeros([1, 2, 2]))], "gridSample: the grid must be [B, h, w, 2]")


def windows(m):
    """Sizes of an image and of its windows, options, and how many windows there are."""
    while True:
        b, c = m.integer(1, 2), m.one_of(1, 2, 3, 4)
        sides, window = [m.integer(2, 5), m.integer(2, 5)], [m.integer(1, 3), m.integer(1, 3)]
        given = {}
        for option, least, most in (("stride", 1, 3), ("padding", 0, 2), ("dilation", 1, 2)):
            if m.chance(0.4):
                given[option] = m.one_of(m.integer(least, most), [m.integer(least, most), m.integer(least, most)])
        two = lambda option, value: [given.get(option, value)] * 2 if not isinstance(given.get(option), list) else given[option]
        s, p, d = two("stride", 1), two("padding", 0), two("dilation", 1)
        counts = [(sides[i] + 2 * p[i] - d[i] * (window[i] - 1) - 1) // s[i] + 1 for i in range(2)]
        if min(counts) > 0 and c * math.prod(counts) * math.prod(window) <= 12 * m.limit:
            return b, c, sides, window, given, math.prod(counts)


def make(m):
    products(m)
    attentions(m)
    rotary(m)
    convolutions(m)
    pooling(m)
    unfolding(m)
    sampling(m)
    volumes(m)
