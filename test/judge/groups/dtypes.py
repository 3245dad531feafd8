"""i32 and bool: arithmetic, what they become beside other dtypes, reductions, orders and indices."""
import numpy as np
import torch

LOW, HIGH = -(2**31), 2**31 - 1


def floor_divide(a, b):
    """NumPy's, whose quotients by 0 are 0 of whole numbers."""
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.asarray(np.floor_divide(a.detach().numpy(), b.detach().numpy())))


def remainder(a, b):
    """torch refuses to divide whole numbers by 0: NumPy's is 0."""
    if not a.is_floating_point() and not b.is_floating_point():
        with np.errstate(all="ignore"):
            return torch.from_numpy(np.asarray(np.remainder(a.numpy(), b.numpy())))
    return torch.remainder(a, b)


def meeting(f):
    """Of operands as what torch makes of them together: it subtracts no bool itself."""
    return lambda a, b: f(*(x.to(torch.promote_types(a.dtype, b.dtype)) for x in (a, b)))


BINARY = [
    ("add", torch.add),
    ("sub", torch.sub),
    ("mul", torch.mul),
    ("maximum", torch.maximum),
    ("minimum", torch.minimum),
    ("remainder", remainder),
    ("floorDivide", floor_divide),
]
COMPARE = [
    ("equal", torch.eq),
    ("notEqual", torch.ne),
    ("less", torch.lt),
    ("lessEqual", torch.le),
    ("greater", torch.gt),
    ("greaterEqual", torch.ge),
]


def ints(m, shape, low=-9, high=9):
    data = m.random.integers(low, high + 1, size=shape)
    if low < -8 and m.chance(0.2):
        data = np.where(m.random.random(size=shape) < 0.2, m.random.choice([LOW, HIGH, 2**24 + 1], size=shape), data)
    return m.i32(data)


def mask(m, shape):
    return m.bool(m.random.integers(0, 2, size=shape))


def stretched(m, shape):
    return [1 if m.chance(0.3) else n for n in shape][m.integer(0, max(len(shape) - 1, 0)) :] if shape else shape


def pointwise(m):
    for name, plain in BINARY:
        f = meeting(plain)
        m.op(name, value=4e-6, gradient=1e-5, relative=True)
        for i in range(m.count // 2):
            shape = m.shape()
            a, b = ints(m, shape), ints(m, stretched(m, shape))
            if i % 4 == 1:
                b = mask(m, b.shape)
            if i % 4 == 2 and name not in ("remainder", "floorDivide"):
                a = m.x(m.numbers(a.shape, 1, 3) + 1 / 32)
                b = mask(m, b.shape) if m.chance(0.5) else b
            if i % 4 == 3:
                n = m.integer(-3, 3)
                m.add([a, n], lambda a, n=n: f(a, torch.tensor(n, dtype=torch.int32)))
            else:
                m.add([a, b] if m.chance(0.5) or name not in ("add", "mul") else [b, a], f)
        if name == "floorDivide":
            for _ in range(m.count // 2):
                shape = m.shape()
                m.add([m.x(m.numbers(shape, -9, 9, 8)), m.x(m.numbers(shape, -3, 3, 4))], f, gradient=False)
        m.fails([mask(m, [2]), mask(m, [2])], "floats are needed")
    m.op("div", value=4e-6, relative=True)
    for _ in range(m.count // 5):
        shape = m.shape()
        m.add([ints(m, shape), m.i32(m.random.integers(1, 9, size=shape))], lambda a, b: a.double() / b.double())
    for name, f in COMPARE:
        m.op(name)
        for i in range(m.count // 4):
            shape = m.shape()
            a, b = (mask(m, shape), mask(m, shape)) if i % 3 == 0 else (ints(m, shape), ints(m, stretched(m, shape)))
            m.add([a, b if i % 3 < 2 else m.x(m.numbers(b.shape, -9, 9, 1))], meeting(f))
    for name, f in [("neg", torch.neg), ("abs", torch.abs), ("sign", torch.sign), ("square", torch.square), ("relu", torch.relu)]:
        m.op(name)
        for _ in range(m.count // 8):
            m.add([ints(m, m.shape())], f)
    m.op("clamp")
    for _ in range(m.count // 8):
        low, high = m.integer(-5, 0), m.integer(0, 5)
        m.add([ints(m, m.shape()), low, high], lambda x, low=low, high=high: x.clamp(low, high))
    m.op("where")
    for i in range(m.count // 4):
        shape = m.shape()
        a, b = (mask(m, shape), mask(m, shape)) if i % 3 == 0 else (ints(m, shape), ints(m, shape))
        m.add([mask(m, shape), a if i % 3 < 2 else m.x(m.numbers(shape)), b], torch.where if i % 3 < 2 else where)
    for name, f in [("logicalAnd", torch.logical_and), ("logicalOr", torch.logical_or), ("logicalXor", torch.logical_xor)]:
        m.op(name)
        for i in range(m.count // 8):
            shape = m.shape()
            m.add([mask(m, shape), mask(m, shape) if i % 2 else ints(m, shape, -1, 1)], f)
    m.op("cast")
    for _ in range(m.count // 4):
        shape = m.shape()
        m.add([m.x(m.numbers(shape, -99, 99)), "i32"], lambda x: x.detach().trunc().to(torch.int32))
        m.add([m.x(m.numbers(shape, -1, 1, 2)), "bool"], lambda x: x.detach().bool())
        m.add([ints(m, shape), "f32"], lambda x: x.float().double())
        m.add([ints(m, shape), "bool"], lambda x: x.bool())
        m.add([mask(m, shape), "i32"], lambda x: x.int())
        m.add([mask(m, shape), "f32"], lambda x: x.double())


def where(c, a, b):
    return torch.where(c, a, b.to(a.dtype))


def reductions(m):
    def both(name, f, dtype=None, boolean=None, least=0):
        m.op(name, value=1e-6)
        for i in range(m.count // 3):
            shape = m.shape(1, 4, 0 if least else 0.06)
            x = mask(m, shape) if i % 3 == 0 else ints(m, shape)
            axis = m.axis(len(shape))
            kind = boolean if i % 3 == 0 and boolean else dtype
            m.add([x, {"axes": axis}], lambda x, a=axis: f(x, a), dtype=kind)

    both("sum", lambda x, a: x.sum(a, dtype=torch.int32), "i32")
    both("prod", lambda x, a: x.prod(a, dtype=torch.int32), "i32")
    both("mean", lambda x, a: x.double().mean(a), least=1)
    both("max", lambda x, a: x.amax(a), least=1)
    both("min", lambda x, a: x.amin(a), least=1)
    both("any", lambda x, a: (x != 0).any(a))
    both("all", lambda x, a: (x != 0).all(a))
    for name, f in [("argmax", np.argmax), ("argmin", np.argmin)]:
        m.op(name)
        for i in range(m.count // 4):
            shape = m.shape(1, 4, 0)
            axis = m.axis(len(shape))
            x = mask(m, shape) if i % 3 == 0 else ints(m, shape, -4, 4)
            m.add([x, axis], lambda x, a=axis: torch.from_numpy(np.asarray(f(x.numpy(), axis=a))))
    for name, f in [("cumsum", torch.cumsum), ("cumprod", torch.cumprod)]:
        m.op(name)
        for i in range(m.count // 4):
            shape = m.shape(1, 4, 0)
            axis = m.axis(len(shape))
            x = mask(m, shape) if i % 3 == 0 else ints(m, shape)
            m.add([x, axis], lambda x, a=axis: f(x, a, dtype=torch.int32))


def orders(m):
    for name in ("argsort", "sort"):
        m.op(name)
        for i in range(m.count // 4):
            x = mask(m, m.shape(1, 3)) if i % 3 == 0 else ints(m, m.shape(1, 3))
            down = m.chance(0.5)

            def reference(x, d=down):
                values, at = torch.sort(x.int(), dim=-1, descending=d, stable=True)
                return at if name == "argsort" else (values.to(x.dtype), at)

            m.add([x, {"descending": down}], reference)


def indices(m):
    m.op("take", value=0, gradient=1e-6)
    for i in range(m.count // 3):
        shape = m.shape(1, 3, 0)
        axis = m.axis(len(shape))
        n = shape[axis]
        at = m.i32(m.random.integers(-n, n, size=m.shape(0, 2, limit=6)))
        x = m.x(m.numbers(shape)) if i % 2 else ints(m, shape)
        # As NumPy's take; torch counts none from the end here.
        m.add([x, at, axis], lambda x, i, a=axis: taken(x, i, a))
    m.op("takeAlongAxis", value=0, gradient=1e-6)
    for _ in range(m.count // 3):
        shape = m.shape(1, 3, 0)
        axis = m.axis(len(shape))
        other = list(shape)
        other[axis] = m.integer(0, 5)
        n = shape[axis]
        at = m.i32(m.random.integers(-n, n, size=other))
        m.add([m.x(m.numbers(shape)), at, axis], lambda x, i, a=axis, n=n: x.gather(a, torch.where(i < 0, i + n, i).long()))


def taken(x, i, axis):
    n = x.shape[axis]
    at = torch.where(i < 0, i + n, i).long()
    axis = axis % x.ndim
    flat = x.index_select(axis, at.reshape(-1))
    return flat.reshape([*x.shape[:axis], *at.shape, *x.shape[axis + 1 :]])


def moves(m):
    def data(shape):
        return mask(m, shape) if m.chance(0.5) else ints(m, shape)

    m.op("permute", value=0)
    for _ in range(m.count // 8):
        shape = m.shape(1, 4)
        order = [int(i) for i in m.random.permutation(len(shape))]
        m.add([data(shape), order], lambda x, o=order: x.permute(o))
    m.op("flip", value=0)
    for _ in range(m.count // 8):
        shape = m.shape(1, 4)
        axis = m.axis(len(shape))
        m.add([data(shape), axis], lambda x, a=axis: x.flip(a))
    m.op("tril", value=0)
    for _ in range(m.count // 8):
        m.add([data(m.shape(2, 3))], torch.tril)
    m.op("unique")
    for _ in range(m.count // 8):

        def reference(x):
            return torch.unique(x, return_inverse=True, return_counts=True)

        m.add([data(m.shape())], reference)
    m.op("nonzero")
    for _ in range(m.count // 8):
        m.add([data(m.shape(1))], torch.nonzero)


def make(m):
    pointwise(m)
    reductions(m)
    orders(m)
    indices(m)
    moves(m)
