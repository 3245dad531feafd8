"""Ops of elements: of one tensor, of two, comparisons and logic."""
import math

import numpy as np
import torch
import torch.nn.functional as F

NAN, INF = math.nan, math.inf
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e30, -1e30, 1e-30, -1e-30]


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def sign(x):
    # NaN of NaN, as in NumPy; torch has 0.
    return torch.where(x.isnan(), x.detach(), torch.sign(x))


def hardsigmoid(x):
    # torch's own has no second derivative.
    return torch.where(x.isnan(), x.detach(), F.relu6(x + 3) / 6)


def absolute(x):
    return x * sign(x).detach()


# Name, torch's function, the range of inputs, whether far magnitudes as well, special values at which gradients are compared.
UNARY = [
    ("abs", absolute, (-3, 3), True, SPECIAL),
    ("neg", torch.neg, (-3, 3), True, SPECIAL),
    ("square", torch.square, (-3, 3), True, SPECIAL),
    ("sign", sign, (-3, 3), True, SPECIAL),
    ("relu", torch.relu, (-3, 3), True, SPECIAL),
    ("exp", torch.exp, (-20, 20), False, SPECIAL),
    ("log", torch.log, (1 / 16, 20), "positive", SPECIAL),
    ("sqrt", torch.sqrt, (0, 20), "positive", SPECIAL),
    ("rsqrt", torch.rsqrt, (1 / 16, 20), "positive", SPECIAL),
    ("reciprocal", torch.reciprocal, (1 / 16, 20), True, SPECIAL),
    ("sigmoid", torch.sigmoid, (-20, 20), False, SPECIAL),
    ("tanh", torch.tanh, (-12, 12), True, SPECIAL),
    ("floor", torch.floor, (-9, 9), True, SPECIAL),
    ("ceil", torch.ceil, (-9, 9), True, SPECIAL),
    ("round", torch.round, (-9, 9), True, SPECIAL),
    ("sin", torch.sin, (-40, 40), True, SPECIAL),
    ("cos", torch.cos, (-40, 40), True, SPECIAL),
    ("tan", torch.tan, (-40, 40), True, SPECIAL),
    ("asin", torch.asin, (-15 / 16, 15 / 16), "small", SPECIAL),
    ("acos", torch.acos, (-15 / 16, 15 / 16), "small", SPECIAL),
    ("atan", torch.atan, (-20, 20), True, [v for v in SPECIAL if abs(v) != 1e30]),
    ("erf", torch.erf, (-3, 3), "small", SPECIAL),
    ("logSigmoid", F.logsigmoid, (-18, 18), False, SPECIAL),
    ("expm1", torch.expm1, (-20, 20), "small", SPECIAL),
    ("log1p", torch.log1p, (-15 / 16, 20), "small", SPECIAL),
    ("log2", torch.log2, (1 / 16, 20), "positive", SPECIAL),
    ("log10", torch.log10, (1 / 16, 20), "positive", SPECIAL),
    ("exp2", torch.exp2, (-20, 20), False, SPECIAL),
    ("sinh", torch.sinh, (-20, 20), "small", SPECIAL),
    ("cosh", torch.cosh, (-20, 20), False, SPECIAL),
    ("trunc", torch.trunc, (-9, 9), True, SPECIAL),
    ("selu", F.selu, (-12, 12), "small", SPECIAL[:-1]),
    ("softsign", F.softsign, (-12, 12), False, SPECIAL),
    ("hardsigmoid", hardsigmoid, (-5, 5), True, SPECIAL),
    ("silu", F.silu, (-20, 20), False, SPECIAL),
    ("softplus", F.softplus, (-18, 18), False, SPECIAL),
    ("hardswish", F.hardswish, (-5, 5), True, [v for v in SPECIAL if abs(v) != 3 and v == v]),
    ("mish", F.mish, (-12, 12), False, SPECIAL),
]


def unary(m):
    for name, f, (low, high), far, special in UNARY:
        # Those gradients are differences.
        gentle = name not in ("silu", "mish", "hardswish", "sin", "cos", "tan", "sigmoid", "tanh", "asin", "acos", "atan", "erf", "logSigmoid")
        m.op(name, value=4e-6, gradient=4e-6, relative=True, gradient_relative=gentle)
        m.add([m.x(special)], f, dy=1.0)
        for i in range(m.count - 1):
            shape = m.shape()
            if far and i % 4 == 0:
                small = far == "small"
                data = m.wide(shape, 1e-9 if small else 1e-6, 0.5 if small else 1e4, signed=far != "positive")
                if name == "tan":
                    data = m.wide(shape, 1e-6, 1.5)
            else:
                data = m.numbers(shape, low, high, 16)
                if name == "reciprocal":
                    data = data * m.one_of(1, -1)
            if name == "hardswish":
                # torch has one gradient or the other at the corners, and at NaN, by the place in memory.
                data = np.where(np.abs(data) == 3, 2.5, data)
            m.add([m.x(data)], f)
    parametric(m)


def parametric(m):
    def each(name, make, f, relative=True, gradient_relative=False, special=SPECIAL):
        m.op(name, value=4e-6, gradient=4e-6, relative=relative, gradient_relative=gradient_relative)
        for i in range(m.count):
            args = make()
            data = special if i < 2 else m.numbers(m.shape(), -4, 4)
            m.add([m.x(data), *args], lambda x: f(x, *args), dy=1.0 if i < 2 else None)

    each("gelu", lambda: [m.one_of("erf", "tanh", "quick")], gelu, relative=False)
    each("clamp", lambda: m.one_of([-1.0, 1.0], [0.0, INF], [-INF, 0.5], [1.0, -1.0], [-3.0, -2.0]), lambda x, a, b: x.clamp(a, b))
    each("scale", lambda: [m.one_of(0.5, -3.0, 0.0, 1.0)], lambda x, c: x * c)
    each("addScalar", lambda: [m.one_of(0.5, -3.0, 0.0, 1.0)], lambda x, c: x + c)
    each("leakyRelu", lambda: m.one_of([], [0.25], [-0.5], [0.0]), lambda x, *a: F.leaky_relu(x, *a))
    # torch has 0 of what is near 0, where ours is exact.
    each("celu", lambda: m.one_of([], [0.5], [2.0], [-1.5]), lambda x, *a: F.celu(x, *a), special=SPECIAL[:-1])
    each("elu", lambda: m.one_of([], [0.5], [2.0]), lambda x, *a: F.elu(x, *a), special=SPECIAL[:-1])


def gelu(x, form):
    if form == "quick":
        return quick_gelu(x)
    return F.gelu(x, approximate="none" if form == "erf" else "tanh")


def pair(m, low=-3.0, high=3.0, grain=8, few=False):
    """
    Two shapes that broadcast: axes of 1, missing ones, empty ones; or a number for one of them. A kernel is compiled for each rank and each
    way to load: `few` keeps to some of them, for ops whose kernels take long.
    """

    def make(shape):
        return m.numbers(shape, low, high, grain)

    shape = m.shape()
    if few and m.chance(0.5):
        return m.x(make([m.integer(2, 5), 1])), m.x(make([3]))
    kind = m.integer(0, 3 if few else 9)
    if kind == 0:
        return m.x(make(shape)), float(make(()))
    if kind == 1:
        return float(make(())), m.x(make(shape))
    if kind < 4:
        return m.x(make(shape)), m.x(make(shape))

    def part():
        some = [1 if m.chance(0.35) else n for n in shape]
        return some[m.integer(0, len(some)) if m.chance(0.3) else 0 :]

    a, b = part(), part()
    return m.x(make(a)), m.x(make(b))


def of_pair(f):
    """f of two arguments of which one may be a number: what the maker calls it with has the tensors only."""

    def with_numbers(a, b):
        def reference(*xs):
            rest = list(xs)
            left = rest.pop(0) if not isinstance(a, float) else torch.tensor(a, dtype=torch.float64)
            right = rest.pop(0) if not isinstance(b, float) else torch.tensor(b, dtype=torch.float64)
            return f(left, right)

        return reference

    return with_numbers


def maximum(a, b):
    # Of equal ones, and of two NaN, the gradient is the first one's; torch gives each half.
    first = (a >= b) | a.isnan()
    return torch.where(first, a, b)


def minimum(a, b):
    return torch.where((a <= b) | a.isnan(), a, b)


def prelu(x, w):
    # Without what is not taken, whose gradient would be 0 times it.
    zero = torch.zeros((), dtype=x.dtype)
    return torch.where(x > 0, x, torch.where(x > 0, zero, w) * torch.where(x > 0, zero, x))


BINARY = [
    ("add", torch.add, {}),
    ("sub", torch.sub, {}),
    ("mul", torch.mul, {}),
    ("div", torch.div, {"low": 1 / 4, "high": 4}),
    ("maximum", maximum, {"grain": 2}),
    ("minimum", minimum, {"grain": 2}),
    ("pow", torch.pow, {"low": 1 / 8, "high": 5}),
    ("prelu", prelu, {}),
    ("logaddexp", torch.logaddexp, {}),
    ("hypot", torch.hypot, {}),
    ("remainder", torch.remainder, {"low": 1 / 8, "high": 9}),
    ("atan2", torch.atan2, {"low": 1 / 8, "high": 9}),
]
COMPARE = [
    ("equal", torch.eq),
    ("notEqual", torch.ne),
    ("less", torch.lt),
    ("lessEqual", torch.le),
    ("greater", torch.gt),
    ("greaterEqual", torch.ge),
]


def grid(m, values):
    """Every special value with every other one."""
    n = len(values)
    return m.x(np.array(values).reshape(n, 1)), m.x(np.array(values))


def binary(m):
    for name, f, range_ in BINARY:
        m.op(name, value=4e-6, gradient=1e-5, relative=True)
        few = [NAN, INF, -INF, 0.0, 1.0, -1.0, 2.0, -3.0, 0.5, -2.5]
        a, b = grid(m, few)
        m.add([a, b], f, gradient=False)
        # Gradients of the same, each pair by itself.
        left, right = np.repeat(few, len(few)), np.tile(few, len(few))
        if name == "remainder":
            # Where it is no number, gradients are NaN here and infinite in torch.
            finite = np.isfinite(torch.remainder(torch.tensor(left), torch.tensor(right)).numpy())
            left, right = left[finite], right[finite]
        m.add([m.x(left), m.x(right)], f, dy=1.0)
        for i in range(m.count - 2):
            a, b = pair(m, **range_, few=name not in ("add", "mul"))
            sign = name in ("div", "remainder") and i % 2
            if sign and not isinstance(a, float):
                a.data = -a.data
            if name == "pow" and i % 4 == 0 and not isinstance(a, float):
                # Whole exponents of negative numbers; torch has a gradient of NaN for the exponent.
                b = float(m.one_of(0, 1, 2, 3, -1, -2, 5))
                a.data = -a.data
            m.add([a, b], of_pair(f)(a, b))
    m.op("lerp", value=4e-6, gradient=1e-5)
    for i in range(m.count):
        a, b = pair(m, few=True)
        like = np.broadcast_shapes(*[x.shape for x in (a, b) if not isinstance(x, float)])
        c = float(m.numbers((), -1, 2)) if i % 2 else m.x(m.numbers([1] if m.chance(0.3) else like, -1, 2))
        weight = c if isinstance(c, float) else None
        m.add(
            [a, b, c],
            lambda *xs, a=a, b=b, w=weight: of_pair(
                lambda x, y: x + (xs[-1] if w is None else w) * (y - x)
            )(a, b)(*(xs if w is not None else xs[:-1])),
        )
    m.op("glu", value=4e-6, gradient=1e-5)
    for i in range(m.count):
        shape = m.shape(least=1)
        axis = m.axis(len(shape))
        shape[axis] = 2 * ((shape[axis] + 1) // 2)
        m.add([m.x(m.numbers(shape)), *([] if axis == -1 else [axis])], lambda x, axis=axis: F.glu(x, axis))
    m.fails([m.x(m.numbers([2, 3])), -1], "glu: axis -1 must have two halves")
    for name, f in COMPARE:
        m.op(name)
        m.add(list(grid(m, SPECIAL)), lambda a, b, f=f: f(a, b))
        for i in range(m.count - 1):
            a, b = pair(m, grain=2, few=name != "less")
            if i % 5 == 0:
                shape = m.shape()
                a, b = (m.u32(m.random.integers(0, 4, size=shape)) for _ in range(2))
            m.add([a, b], of_pair(f)(a, b))
    m.op("where")
    for i in range(m.count):
        a, b = pair(m, few=True)
        if i % 10 == 0 and isinstance(b, float):
            a = float(m.integer(0, 3))
        like = [x.shape for x in (a, b) if not isinstance(x, float)] or [m.shape()]
        shape = np.broadcast_shapes(*like)
        condition = [1] if m.chance(0.3) else shape
        if i % 2:
            c = m.u32(m.random.integers(0, 2, size=condition))
        else:
            c = m.x(m.random.choice([0.0, -0.0, 1.0, NAN, -2.0], size=condition))
        m.add([c, a, b], lambda c, *xs, a=a, b=b: of_pair(lambda x, y: torch.where(c != 0, x, y))(a, b)(*xs))


def logic(m):
    for name, f in [("logicalAnd", torch.logical_and), ("logicalOr", torch.logical_or), ("logicalXor", torch.logical_xor)]:
        m.op(name)
        m.add(list(grid(m, SPECIAL[:8])), lambda a, b, f=f: f(a, b))
        for i in range(m.count // 2):
            a, b = pair(m, low=-1, high=1, grain=1, few=True)
            a, b = (m.x(np.float32(x)) if isinstance(x, float) else x for x in (a, b))
            m.add([a, b], lambda a, b, f=f: f(a, b))
    for name, f in [("logicalNot", torch.logical_not), ("isNaN", torch.isnan), ("isFinite", torch.isfinite), ("isInf", torch.isinf)]:
        m.op(name)
        for i in range(m.count // 2):
            m.add([m.x(SPECIAL if i == 0 else m.random.choice([0.0, 1.0, NAN, INF, -INF, 1e38], size=m.shape()))], f)
    m.op("cast")
    for i in range(m.count // 2):
        data = [0.0, 0.99, 1.5, 7.0, 4294967040.0, 16777216.0] if i == 0 else m.numbers(m.shape(), 0, 99)
        m.add([m.x(data), "u32"], lambda x: x.detach().trunc().to(torch.int64))
        ints = m.u32(m.random.integers(0, 2**32, size=m.shape()))
        m.add([ints, "f32"], lambda x: x.double())


def make(m):
    unary(m)
    binary(m)
    logic(m)
