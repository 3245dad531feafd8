"""Layers with the weights of torch.nn, ten steps of torch.optim, and torch's schedulers: what is no op."""
import itertools

import numpy as np
import torch
import torch.nn.functional as F

from .products import first, last


# Layers. A case constructs ours with `construct` after the weights, and calls `method` with `args`.


def layer(m, construct, weights, args, reference, method="forward", after=None, second=False):
    """
    `reference(weights, *inputs)` gives y and, where `after` names some, the weights that are then others. Where `second`, also the gradients
    of the gradients' weighted sum.
    """
    inputs = []
    encoded = m._args(args, inputs)
    named = {name: m.x(value) for name, value in weights.items()}
    tensors = {name: x.torch() for name, x in named.items()}
    xs = [x.torch() for x in inputs]
    made = reference(tensors, *xs)
    y, moved = made if after else (made, {})
    dy = m.numbers(tuple(y.shape), -2, 2, 4)
    names = [name for name in named if not name.startswith("running")]
    wrt = [x for x in xs if x.dtype == torch.float64] + [tensors[name] for name in names]
    grads = torch.autograd.grad(y, wrt, torch.from_numpy(np.array(dy, dtype=np.float64)), create_graph=second)
    more = {}
    if second:
        along = [m.numbers(tuple(g.shape), -1, 1, 4) for g in grads]
        total = sum((g * torch.from_numpy(np.array(u, dtype=np.float64))).sum() for g, u in zip(grads, along))
        more["along"] = [m._list(u) for u in along]
        more["seconds"] = [m._list(g.numpy()) for g in torch.autograd.grad(total, wrt)]
    m.entry["cases"].append(
        {
            "construct": m._args(construct, []),
            "weights": {name: m._input(x) for name, x in named.items()},
            "method": method,
            "args": encoded,
            "inputs": [m._input(x) for x in inputs],
            "results": [m._result(y, None)],
            "dys": [m._list(dy)],
            "gradients": [m._list(g.detach().numpy()) for g in grads],
            **more,
            "after": {name: m._list(value.detach().numpy()) for name, value in moved.items()},
        }
    )


def layers(m):
    m.op("Linear", gradient=2e-5)
    for bias in (True, False, True):
        weights = {"weight": m.numbers([3, 5])}
        if bias:
            weights["bias"] = m.numbers([3])
        x = m.x(m.numbers(m.shape(1, 3, limit=4) + [5]))
        layer(m, [5, 3, {"bias": bias}], weights, [x], lambda w, x: F.linear(x, w["weight"], w.get("bias")))
    m.op("Embedding")
    for _ in range(3):
        ids = m.u32(m.random.integers(0, 5, size=m.shape(0, 2)))
        layer(m, [5, 3], {"weight": m.numbers([5, 3])}, [ids], lambda w, i: F.embedding(i, w["weight"]))
    m.op("LayerNorm", value=2e-5, gradient=5e-5)
    for eps in (None, 1e-3):
        x = m.x(m.distinct([3, 2, 5]))
        norms = {"weight": m.numbers([5]), "bias": m.numbers([5])}
        args = [5] if eps is None else [5, eps]
        layer(m, args, norms, [x], lambda w, x: F.layer_norm(x, [5], w["weight"], w["bias"], eps or 1e-5))
    m.op("RMSNorm", value=2e-5, gradient=5e-5)
    for eps in (None, 1e-3):
        # torch.nn.RMSNorm is of a later version: its definition.
        f = lambda w, x: x / (x.square().mean(-1, keepdim=True) + (eps or 2.0**-23)).sqrt() * w["weight"]
        layer(m, [5] if eps is None else [5, eps], {"weight": m.numbers([5])}, [m.x(m.distinct([3, 2, 5]))], f)
    m.op("GroupNorm", value=2e-5, gradient=5e-5)
    for groups, channels, sides in ((1, 4, [3]), (2, 4, [2, 3]), (3, 6, []), (3, 3, [2, 2])):
        x = m.x(m.distinct([2, *sides, channels]))
        norms = {"weight": m.numbers([channels]), "bias": m.numbers([channels])}
        if groups == channels or sides or channels // groups > 1:
            f = lambda w, x: last(F.group_norm(first(x, "last"), groups, w["weight"], w["bias"]))
            layer(m, [groups, channels], norms, [x], f)
    m.op("InstanceNorm", value=2e-5, gradient=1e-4)
    for affine, eps, sides in ((False, None, [5]), (True, None, [3, 2]), (True, 1e-3, [2, 1, 3]), (False, 0.1, [2, 2])):
        x = m.x(m.distinct([2, *sides, 3]))
        norms = {"weight": m.numbers([3]), "bias": m.numbers([3])} if affine else {}
        f = lambda w, x: last(F.instance_norm(first(x, "last"), None, None, w.get("weight"), w.get("bias"), eps=eps or 1e-5))
        given = {**({"affine": True} if affine else {}), **({"eps": eps} if eps else {})}
        layer(m, [3, *([given] if given else [])], norms, [x], f)
    m.op("BatchNorm", value=2e-5, gradient=1e-4)
    for training, momentum, sides in itertools.product((True, False), (None, 0.3), ([], [3, 2])):
        norms = {
            "weight": m.numbers([3]),
            "bias": m.numbers([3]),
            "running_mean": m.numbers([3]),
            "running_var": m.numbers([3], 1 / 4, 3),
        }

        def batch_norm(w, x):
            mean, var = (w[k].detach().clone() for k in ("running_mean", "running_var"))
            y = F.batch_norm(first(x, "last"), mean, var, w["weight"], w["bias"], training, momentum or 0.1, 1e-5)
            return last(y), {"running_mean": mean, "running_var": var}

        args = [3] if momentum is None else [3, {"momentum": momentum}]
        method = "forwardInTraining" if training else "forward"
        layer(m, args, norms, [m.x(m.distinct([5, *sides, 3]))], batch_norm, method, True)
    m.op("Conv2d", gradient=2e-5)
    for side, stride, padding in ((3, 1, 1), (3, 2, 0), (1, 1, 0)):
        weights = {"weight": m.numbers([5, 3, side, side]), "bias": m.numbers([5])}
        f = lambda w, x: last(F.conv2d(first(x, "last"), w["weight"], w["bias"], stride, padding))
        layer(m, [3, 5, {"side": side, "stride": stride, "padding": padding}], weights, [m.x(m.numbers([2, 5, 4, 3]))], f)
    for side, stride, padding, dilation, groups, bias in (
        ([3, 2], [2, 1], [1, 2], [1, 3], 1, True),
        ([2, 3], 1, "same", [1, 2], 1, False),
        ([3, 1], [1, 2], [2, 0], [2, 1], 2, True),
    ):
        weights = {"weight": m.numbers([6, 4 // groups, *side])}
        if bias:
            weights["bias"] = m.numbers([6])
        f = lambda w, x: last(
            F.conv2d(first(x, "last"), w["weight"], w.get("bias"), stride, padding, dilation, groups)
        )
        settings = {"side": side, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": bias}
        layer(m, [4, 6, settings], weights, [m.x(m.numbers([2, 6, 5, 4]))], f)
    m.op("MultiHeadAttention", value=1e-5, gradient=5e-5)
    # Heads of one width: there is a kernel for each.
    for heads, bias, kind in ((1, True, "self"), (3, True, "causal"), (3, False, "context"), (1, True, "context")):
        dim = 3 * heads
        weights = {"in_proj_weight": m.numbers([3 * dim, dim], -1, 1), "out_proj.weight": m.numbers([dim, dim], -1, 1)}
        if bias:
            weights.update({"in_proj_bias": m.numbers([3 * dim]), "out_proj.bias": m.numbers([dim])})

        def attention(w, x, context=None):
            module = torch.nn.MultiheadAttention(dim, heads, bias=bias, batch_first=True, dtype=torch.float64)
            mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if kind == "causal" else None
            of = x if context is None else context
            given = {"attn_mask": mask, "need_weights": False}
            return torch.nn.utils.stateless.functional_call(module, w, (x, of, of), given)[0]

        x = m.x(m.numbers([2, 4, dim], -1, 1))
        args = {"self": [x], "causal": [x, {"causal": True}], "context": [x, {"context": m.x(m.numbers([2, 3, dim], -1, 1))}]}
        options = [] if bias else [{"bias": False}]
        layer(m, [dim, heads, *options], weights, args[kind], attention)

    m.op("GRU", value=1e-5, gradient=5e-5)
    recurrent(m, torch._VF.gru, 3)
    m.op("LSTM", value=1e-5, gradient=5e-5)
    recurrent(m, torch._VF.lstm, 4)
    m.op("ConvTranspose2d", gradient=2e-5)
    for side, stride, padding, more, dilation in (
        ([2, 2], 2, 0, 0, 1),
        ([3, 2], [2, 1], [0, 1], [1, 0], [1, 2]),
    ):
        weights = {"weight": m.numbers([3, 2, *side]), "bias": m.numbers([2])}
        f = lambda w, x: last(
            F.conv_transpose2d(first(x, "last"), w["weight"], w["bias"], stride, padding, more, 1, dilation)
        )
        settings = {"side": side, "stride": stride, "padding": padding, "outputPadding": more, "dilation": dilation}
        layer(m, [3, 2, settings], weights, [m.x(m.numbers([2, 3, 4, 3]))], f)


def recurrent(m, run, gates):
    """Layers above each other, both directions, batch first, without biases: from zeros."""
    for count, both, batch_first, bias in ((1, False, False, True), (2, False, True, True), (2, True, True, False)):
        hidden, inputs = 3, 2
        weights = {}
        for i in range(count):
            for suffix in ("", "_reverse") if both else ("",):
                width = inputs if i == 0 else hidden * (2 if both else 1)
                weights[f"weight_ih_l{i}{suffix}"] = m.numbers([gates * hidden, width], -1, 1)
                weights[f"weight_hh_l{i}{suffix}"] = m.numbers([gates * hidden, hidden], -1, 1)
                if bias:
                    weights[f"bias_ih_l{i}{suffix}"] = m.numbers([gates * hidden], -1, 1)
                    weights[f"bias_hh_l{i}{suffix}"] = m.numbers([gates * hidden], -1, 1)
        zeros = torch.zeros(count * (2 if both else 1), 2, hidden, dtype=torch.float64)
        state = zeros if gates == 3 else (zeros, zeros)
        # What the module calls with its own weights.
        f = lambda w, x: run(x, state, list(w.values()), bias, count, 0.0, True, both, batch_first)[0]
        options = {"layers": count, "bidirectional": both, "batchFirst": batch_first, "bias": bias}
        x = m.x(m.numbers([2, 4, inputs] if batch_first else [4, 2, inputs], -1, 1))
        layer(m, [inputs, hidden, options], weights, [x], f, second=count == 1)


# Optimizers.

STEPS = 10
OPTIMIZERS = {
    "SGD": (
        torch.optim.SGD,
        [
            {},
            {"weightDecay": 0.1},
            {"momentum": 0.9},
            {"momentum": 0.9, "dampening": 0.5, "weightDecay": 0.01},
            {"momentum": 0.8, "nesterov": True},
            {"momentum": 0.8, "nesterov": True, "weightDecay": 0.1, "maxNorm": 1.5},
        ],
    ),
    "Adam": (torch.optim.Adam, [{}, {"beta1": 0.8, "beta2": 0.99, "eps": 1e-3}, {"weightDecay": 0.1}, {"maxNorm": 0.5}]),
    "AdamW": (
        torch.optim.AdamW,
        [{"beta2": 0.999, "weightDecay": 0.01}, {"beta1": 0.8, "beta2": 0.99, "eps": 1e-3, "weightDecay": 0.3}, {"maxNorm": 1.0}],
    ),
    "RMSProp": (
        torch.optim.RMSprop,
        [{}, {"alpha": 0.9, "eps": 1e-3}, {"momentum": 0.9}, {"centered": True}, {"momentum": 0.5, "centered": True, "weightDecay": 0.1}],
    ),
}
NAMES = {"weightDecay": "weight_decay", "momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov"}
NAMES.update({"eps": "eps", "alpha": "alpha", "centered": "centered"})


def optimizers(m):
    for name, (kind, all_options) in OPTIMIZERS.items():
        m.op(name, value=1e-5)
        for options in all_options:
            theirs = {NAMES[k]: v for k, v in options.items() if k in NAMES}
            if name.startswith("Adam"):
                theirs["betas"] = (options.get("beta1", 0.9), options.get("beta2", 0.95 if name == "AdamW" else 0.999))
            if name == "AdamW":
                theirs.setdefault("weight_decay", 0.05)
            shapes = [[3, 2], [5], []]
            start = [m.numbers(shape) for shape in shapes]
            gradients = [[m.numbers(shape, -2, 2) for shape in shapes] for _ in range(STEPS)]
            rates = [float(m.one_of(0.125, 0.0625, 0.03125)) for _ in range(STEPS)]
            parameters = [torch.tensor(np.array(p), dtype=torch.float64, requires_grad=True) for p in start]
            optimizer = kind(parameters, lr=1.0, **theirs)
            after = []
            for rate, each in zip(rates, gradients):
                for p, g in zip(parameters, each):
                    p.grad = torch.tensor(np.array(g), dtype=torch.float64)
                if "maxNorm" in options:
                    torch.nn.utils.clip_grad_norm_(parameters, options["maxNorm"])
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.step()
                after.append([m._list(p.detach().numpy()) for p in parameters])
            m.entry["cases"].append(
                {
                    "options": options,
                    "shapes": shapes,
                    "start": [m._list(p) for p in start],
                    "rates": rates,
                    "gradients": [[m._list(g) for g in each] for each in gradients],
                    "after": after,
                }
            )


# Schedules: the rate of steps 1, 2, …, in float64.


def schedules(m):
    base = 0.5
    lr = torch.optim.lr_scheduler

    def rates(scheduler, steps):
        parameter = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([parameter], lr=base)
        made = scheduler(optimizer)
        found = []
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            made.step()
        return found

    def add(name, args, scheduler, steps=12):
        m.op(name, value=1e-9)
        m.entry["cases"].append({"args": args, "rates": rates(scheduler, steps)})

    add("constantRate", [base], lambda o: lr.ConstantLR(o, factor=1.0))
    add("linearRate", [0.1, base, 8], lambda o: lr.LinearLR(o, start_factor=0.2, total_iters=8))
    add("linearRate", [base, 0.05, 5], lambda o: lr.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=5))
    # torch's cosine comes up again after its end, ours stays.
    add("cosineRate", [base, 0.0, 11], lambda o: lr.CosineAnnealingLR(o, 11))
    add("cosineRate", [base, 0.1, 11], lambda o: lr.CosineAnnealingLR(o, 11, eta_min=0.1))
    add("polynomialRate", [base, 7], lambda o: lr.PolynomialLR(o, total_iters=7))
    add("polynomialRate", [base, 9, 2.5], lambda o: lr.PolynomialLR(o, total_iters=9, power=2.5))
    add("stepRate", [base, 3], lambda o: lr.StepLR(o, 3))
    add("stepRate", [base, 4, 0.5], lambda o: lr.StepLR(o, 4, gamma=0.5))
    add("stepRate", [base, [2, 3, 7], 0.5], lambda o: lr.MultiStepLR(o, [2, 3, 7], gamma=0.5))
    add("exponentialRate", [base, 0.8], lambda o: lr.ExponentialLR(o, 0.8))
    for rise in (0.3, 0.5):
        add("oneCycleRate", [base, 12, {"rise": rise}], lambda o: lr.OneCycleLR(o, base, 12, pct_start=rise), 11)
    given = {"startDivisor": 10, "endDivisor": 100}
    add("oneCycleRate", [base, 20, given], lambda o: lr.OneCycleLR(o, base, 20, div_factor=10, final_div_factor=100), 19)


def make(m):
    layers(m)
    optimizers(m)
    schedules(m)
