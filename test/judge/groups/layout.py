"""Ops on shapes and indices: what they move, and where gradients go back."""
import numpy as np
import torch
import torch.nn.functional as F

from .core import DEVICE


def take(x, ids, axis):
    """numpy.take: the axes of `ids` in the place of the axis."""
    axis %= x.dim()
    y = x.index_select(axis, ids.reshape(-1))
    return y.reshape(list(x.shape[:axis]) + list(ids.shape) + list(x.shape[axis + 1 :]))


def shapes(m):
    def each(name, make, count=None):
        m.op(name, value=0, gradient=1e-6)
        for _ in range(count or m.count):
            make()

    def data(shape):
        return m.u32(m.random.integers(0, 100, size=shape)) if m.chance(0.15) else m.x(m.numbers(shape))

    def reshape():
        x = data(m.shape())
        n = int(np.prod(x.shape))
        to = [[n], [1, n], [-1], [n, 1, 1]]
        to += [[2, n // 2]] if n % 2 == 0 else []
        to += [[n // 3, -1]] if n % 3 == 0 and n else []
        to += [[]] if n == 1 else []
        to = m.one_of(*range(len(to))) and to[m.integer(0, len(to) - 1)] or to[0]
        if n == 0:
            to = [n, 3]
        m.add([x, to], lambda x: x.reshape(to))

    def flatten():
        x = data(m.shape(0))
        rank = len(x.shape)
        start, end = sorted(m.integer(0, max(rank - 1, 0)) for _ in range(2))
        args = m.one_of([], [start], [start, end], [start, end - max(rank, 1)])
        m.add([x, *args], lambda x: torch.flatten(x, *args))

    def squeeze():
        shape = m.shape()
        ones = [i for i, n in enumerate(shape) if n == 1]
        if m.chance(0.5) or not ones:
            return m.add([data(shape)], lambda x: x.squeeze())
        axis = int(m.one_of(*ones))
        axis -= len(shape) if m.chance(0.5) else 0
        m.add([data(shape), axis], lambda x: x.squeeze(axis))

    def unsqueeze():
        shape = m.shape()
        axis = m.axis(len(shape) + 1)
        m.add([data(shape), axis], lambda x: x.unsqueeze(axis))

    def permute():
        shape = m.shape(1)
        order = [int(i) for i in m.random.permutation(len(shape))]
        m.add([data(shape), order], lambda x: x.permute(order))

    def swap():
        shape = m.shape(1)
        a, b = m.axis(len(shape)), m.axis(len(shape))
        m.add([data(shape), a, b], lambda x: x.transpose(a, b))

    def move():
        shape = m.shape(1)
        a, b = m.axis(len(shape)), m.axis(len(shape))
        m.add([data(shape), a, b], lambda x: torch.movedim(x, a, b))

    def broadcast():
        to = m.shape()
        x = [1 if m.chance(0.4) else n for n in to]
        x = x[m.integer(0, len(x)) if m.chance(0.4) else 0 :]
        m.add([data(x), to], lambda x: x.broadcast_to(to))

    def joined(isNew):
        shape = m.shape(0 if isNew else 1, 3)
        axis = m.axis(len(shape) + (1 if isNew else 0))
        count = 8 if m.chance(0.1) else m.integer(1, 3)
        parts = []
        isInt = m.chance(0.15)
        for _ in range(count):
            part = list(shape)
            if not isNew:
                part[axis] = m.integer(0, 3)
            parts.append(m.u32(m.random.integers(0, 9, size=part)) if isInt else m.x(m.numbers(part)))
        join = torch.stack if isNew else torch.cat
        args = [parts] if isNew and axis == 0 else [parts, axis]
        m.add(args, lambda *xs: join(xs, axis))

    def split():
        shape = m.shape(1, 3)
        axis = m.axis(len(shape))
        left, sizes = shape[axis], []
        while left:
            sizes.append(m.integer(0 if len(sizes) == 1 else 1, left))
            left -= sizes[-1]
        sizes = sizes or [0]
        m.add([data(shape), axis, sizes], lambda x: torch.split(x, sizes, axis))

    def chunk():
        shape = m.shape(1, 3)
        axis, count = m.axis(len(shape)), m.integer(1, 4)
        m.add([data(shape), count, axis], lambda x: torch.chunk(x, count, axis))

    def unbind():
        shape = m.shape(1, 3)
        axis = m.axis(len(shape))
        if shape[axis] == 0:
            shape[axis] = 2
        m.add([data(shape), axis], lambda x: torch.unbind(x, axis))

    def diagonal():
        shape = m.shape(2, 4)
        a, b = [int(i) for i in m.random.permutation(len(shape))[:2]]
        offset = m.integer(-2, 2)
        m.add([data(shape), offset, a, b], lambda x: torch.diagonal(x, offset, a, b))

    def slice_():
        shape = m.shape(1, 4)
        axis = m.axis(len(shape))
        length = shape[axis]
        a, b = sorted(m.integer(0, length) for _ in range(2))
        step = m.one_of(1, 1, 2, 3)
        start = a - length if m.chance(0.3) and 0 < a < length else a
        end = b - length if m.chance(0.3) and b < length else b
        args = [start, end, step] if step > 1 else m.one_of([start, end], [start])
        stop = args[1] if len(args) > 1 else None

        def reference(x):
            index = [slice(None)] * x.dim()
            index[axis] = slice(start, stop, step if len(args) > 2 else None)
            return x[tuple(index)]

        m.add([data(shape), axis, *args], reference)

    def tile():
        shape = m.shape(0, 3)
        counts = [m.integer(1, 3) for _ in range(m.integer(0, 4))]
        if m.chance(0.05) and counts:
            counts[0] = 0
        m.add([data(shape), counts], lambda x: torch.tile(x, counts))

    def repeat():
        shape = m.shape(1, 4)
        axis, count = m.axis(len(shape)), m.integer(0, 3)
        m.add([data(shape), count, axis], lambda x: torch.repeat_interleave(x, count, dim=axis))

    def flip():
        shape = m.shape()
        rank = len(shape)
        args = m.one_of(0, 1, 2) if rank else 0
        if args == 0:
            return m.add([data(shape)], lambda x: x.flip(list(range(rank))))
        axes = m.axes(rank) if args == 1 else m.axis(rank)
        m.add([data(shape), axes], lambda x: x.flip(axes))

    def roll():
        shape = m.shape(1)
        axis, shift = m.axis(len(shape)), m.integer(-9, 9)
        m.add([data(shape), shift, axis], lambda x: x.roll(shift, axis))

    def pad():
        mode = m.one_of("constant", "edge", "reflect")
        shape = m.shape(1, 4, 0.06 if mode == "constant" else 0)
        counted = m.integer(0, min(3, len(shape)))
        widths, both = [], []
        for n in shape[len(shape) - counted :]:
            most = n - 1 if mode == "reflect" else 3
            width = [m.integer(0, min(3, most)), m.integer(0, min(3, most))]
            if m.chance(0.3):
                widths.append(width[0])
                both.append([width[0]] * 2)
            else:
                widths.append(width)
                both.append(width)
        given = {} if mode == "constant" and m.chance(0.5) else {"mode": mode}
        value = 0.0
        if mode == "constant" and m.chance(0.5):
            value = given["value"] = float(m.integer(0, 3))
        args = [data(shape), widths] + ([given] if given else [])
        m.add(args, lambda x: padded(x, both, mode, value))

    def triangle(f):
        def make():
            x = m.x(m.numbers(m.shape(2, 4)))
            k = m.integer(-4, 4)
            args = [] if k == 0 and m.chance(0.5) else [k]
            m.add([x, *args], lambda x: f(x, *args))

        return make

    each("reshape", reshape)
    each("flatten", flatten)
    each("squeeze", squeeze)
    m.fails([m.x(np.zeros([2, 3])), 0], "axis 0")
    each("unsqueeze", unsqueeze)
    each("permute", permute)
    each("swapAxes", swap)
    each("moveAxis", move)
    each("broadcastTo", broadcast)
    each("concat", lambda: joined(False))
    each("stack", lambda: joined(True))
    each("split", split)
    each("chunk", chunk)
    each("unbind", unbind)
    each("diagonal", diagonal)
    each("slice", slice_)
    each("tile", tile)
    each("repeat", repeat)
    each("flip", flip)
    each("roll", roll)
    each("pad", pad)
    each("tril", triangle(torch.tril))
    each("triu", triangle(torch.triu))


def padded(x, widths, mode, value):
    """Axis by axis, as numpy.pad: torch pads only some axes in some modes."""
    for i, (before, after) in enumerate(widths):
        axis = x.dim() - len(widths) + i
        n = x.shape[axis]
        at = torch.arange(-before, n + after)
        if mode == "constant":
            sides = [list(x.shape), list(x.shape)]
            sides[0][axis], sides[1][axis] = before, after
            x = torch.cat([torch.full(sides[0], value).to(x.dtype), x, torch.full(sides[1], value).to(x.dtype)], axis)
        else:
            at = at.clamp(0, n - 1) if mode == "edge" else torch.from_numpy(np.pad(np.arange(n), (before, after), "reflect"))
            x = x.index_select(axis, at)
    return x


def indices(m):
    def ids(shape, count):
        return m.u32(m.random.integers(0, max(count, 1), size=shape))

    m.op("take", value=0, gradient=1e-6)
    for _ in range(m.count):
        shape = m.shape(1, 3, 0)
        axis = m.axis(len(shape))
        at = ids(m.shape(0, 2, limit=6), shape[axis])
        args = [m.x(m.numbers(shape)), at] + ([] if axis == 0 else [axis])
        m.add(args, lambda x, i, a=axis: take(x, i, a))
    m.op("takeAlongAxis", value=0, gradient=1e-6)
    for _ in range(m.count):
        shape = m.shape(1, 3, 0)
        axis = m.axis(len(shape))
        other = list(shape)
        other[axis] = m.integer(0, 5)
        args = [m.x(m.numbers(shape)), ids(other, shape[axis])] + ([] if axis == -1 else [axis])
        m.add(args, lambda x, i, a=axis: x.gather(a, i))
    m.op("takeRows", value=0, gradient=1e-6)
    for _ in range(m.count // 2):
        b, n, k = m.integer(1, 3), m.integer(1, 5), m.integer(0, 5)
        rest = m.shape(0, 2, limit=8)
        x, at = m.x(m.numbers([b, n, *rest])), ids([b, k], n)
        m.add([x, at], lambda x, i: torch.stack([x[j][i[j]] for j in range(x.shape[0])]))
    m.op("scatterAdd", gradient=0)
    for _ in range(m.count):
        b, n, k = m.integer(1, 3), m.integer(1, 5), m.integer(0, 5)
        rest = m.shape(0, 2, limit=8)

        def reference(x, i, n=n, b=b, rest=rest):
            zeros = torch.zeros([b, n, *rest], dtype=torch.float64)
            index = i.reshape(list(i.shape) + [1] * len(rest)).expand_as(x)
            return zeros.scatter_add(1, index, x)

        m.add([m.x(m.numbers([b, k, *rest])), ids([b, k], n), n], reference)
    m.op("embedding", value=0, gradient=1e-6)
    for _ in range(m.count):
        count, width = m.integer(1, 7), m.integer(1, 5)
        m.add([m.x(m.numbers([count, width])), ids(m.shape(0, 3, limit=9), count)], lambda w, i: F.embedding(i, w))
    m.op("oneHot")
    for _ in range(m.count // 2):
        classes = m.integer(1, 6)
        m.add([ids(m.shape(0, 3, limit=9), classes), classes], lambda i: F.one_hot(i, classes).double())


def scatters(m):
    def along(isDistinct):
        shape = m.shape(1, 3, 0)
        axis = m.axis(len(shape))
        other = list(shape)
        other[axis] = m.integer(0, shape[axis] if isDistinct else 5)
        if isDistinct:
            at = np.argsort(m.random.random(shape), axis)
            at = np.take(at, np.arange(other[axis]), axis)
        else:
            at = m.random.integers(0, shape[axis], size=other)
        return axis, [m.x(m.numbers(shape)), m.u32(at), m.x(m.numbers(other))] + ([] if axis == -1 else [axis])

    m.op("scatterAddAlongAxis")
    for _ in range(m.count):
        axis, args = along(False)
        m.add(args, lambda x, i, src, a=axis: x.scatter_add(a, i, src))
    m.op("scatterAlongAxis")
    for _ in range(m.count):
        axis, args = along(True)
        m.add(args, lambda x, i, src, a=axis: x.scatter(a, i, src))
    for _ in range(m.count // 4):
        # An index that comes up several times: NumPy promises nothing, but takes the last one.
        axis, args = along(False)

        def put(x, i, src, a=axis):
            y = x.detach().numpy().copy()
            np.put_along_axis(y, i.numpy(), src.detach().numpy(), a)
            return torch.from_numpy(y)

        m.add(args, put, gradient=False)
    m.op("indexAdd")
    for _ in range(m.count):
        shape = m.shape(1, 3, 0)
        axis = m.axis(len(shape))
        other = list(shape)
        other[axis] = m.integer(0, 5)
        at = m.u32(m.random.integers(0, shape[axis], size=other[axis]))
        args = [m.x(m.numbers(shape)), at, m.x(m.numbers(other))] + ([] if axis == 0 else [axis])
        m.add(args, lambda x, i, src, a=axis: x.index_add(a, i, src))


def found(m):
    m.op("diff", value=1e-6)
    for _ in range(m.count):
        shape = m.shape(1, 4)
        axis, times = m.axis(len(shape)), m.integer(0, 2)
        m.add([m.x(m.numbers(shape)), times, axis], lambda x, n=times, axis=axis: torch.diff(x, n, axis))
    m.op("unique")
    for i in range(m.count // 2):
        x = m.u32(m.random.integers(0, 5, size=m.shape())) if i % 4 == 0 else m.x(m.numbers(m.shape(), -2, 2, 1))

        def reference(x):
            values, inverse, counts = torch.unique(x.detach(), return_inverse=True, return_counts=True)
            return values, inverse, counts

        m.add([x], reference, gradient=False)
    m.op("meshgrid")
    for i in range(m.count // 2):
        lines = [m.x(m.numbers([m.integer(0 if i % 5 == 0 else 1, 5)])) for _ in range(m.integer(1, 3))]
        given = m.one_of({}, {"indexing": "ij"}, {"indexing": "xy"})
        m.add([lines, given], lambda *xs, g=given: torch.meshgrid(*xs, indexing=g.get("indexing", "ij")))
    m.op("trace", value=1e-6)
    for _ in range(m.count // 2):
        m.add([m.x(m.numbers(m.shape(2, 4)))], lambda x: x.diagonal(dim1=-2, dim2=-1).sum(-1))
    m.op("outer")
    for i in range(m.count // 2):
        m.add([m.x(m.numbers([m.integer(0 if i == 0 else 1, 6)])), m.x(m.numbers([m.integer(1, 6)]))], torch.outer)
    for name, f in (("pixelShuffle", F.pixel_shuffle), ("pixelUnshuffle", F.pixel_unshuffle)):
        m.op(name)
        for _ in range(m.count // 2):
            r, (b, c, h, w) = m.integer(1, 3), (m.integer(1, 3) for _ in range(4))
            shape = [b, c * r * r, h, w] if name == "pixelShuffle" else [b, c, h * r, w * r]
            x = m.numbers(shape)
            if m.chance(0.5):
                m.add([m.x(x), r, {"channels": "first"}], lambda x, f=f, r=r: f(x, r))
            else:
                x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
                m.add([m.x(x), r], lambda x, f=f, r=r: f(x.permute(0, 3, 1, 2), r).permute(0, 2, 3, 1))
    m.op("bincount")
    for i in range(m.count // 2):
        length = m.integer(1, 6)
        ids = m.u32(m.random.integers(0, length, size=m.shape()))
        if i % 2:
            weights = m.x(m.numbers(ids.shape))
            m.add([ids, length, {"weights": weights}], lambda i, w, n=length: torch.zeros(n, dtype=w.dtype).index_add(0, i.reshape(-1), w.reshape(-1)))
        else:
            m.add([ids, length], lambda i, n=length: torch.bincount(i.reshape(-1), minlength=n))
    m.op("histogram", value=1e-6)
    for i in range(m.count // 2):
        x = m.numbers(m.shape(0, 3, 0), -2, 2, 8)
        # Edges that f32 holds: what lies on one has one bin.
        bins, given = m.one_of(1, 2, 4, 8), {"range": [-1.0, 1.0]}
        if i == 0:
            x, given = np.array([1.0, 1.0]), {}
        if i == 1:
            x = np.array([-1.0, 1.0, float("nan"), float("inf"), -5.0, 0.0])

        def reference(x):
            counts, edges = np.histogram(x.detach().numpy(), bins, **given)
            return torch.from_numpy(counts), torch.from_numpy(edges)

        m.add([m.x(x), bins, given], reference, gradient=False)
    m.op("searchSorted")
    for i in range(m.count // 2):
        shape = m.shape(1, 3)
        lines = np.sort(m.numbers(shape, -2, 2, 2), -1)
        one = len(shape) == 1
        values = m.numbers(m.shape() if one else [*shape[:-1], m.integer(0, 5)], -2, 2, 2)
        kind = m.x if i % 3 else m.i32
        given = {"right": True} if m.chance(0.5) else {}
        # Of one line torch takes values of any shape too.
        m.add(
            [kind(lines), kind(values), given],
            lambda a, v, r=bool(given): torch.searchsorted(a.detach().contiguous(), v.detach().contiguous(), right=r),
            gradient=False,
        )
    m.op("nonzero")
    for _ in range(m.count // 2):
        x = m.x(m.random.choice([0.0, -0.0, 1.0, float("nan"), -2.0], size=m.shape(1)))
        m.add([x], lambda x: torch.nonzero(x), gradient=False)


def made(m):
    m.op("arange", value=1e-6, relative=True)
    for _ in range(m.count):
        kind = m.integer(0, 3)
        start, count = m.integer(-5, 5), m.integer(0, 9)
        step = float(m.one_of(1, 2, 0.25, -0.5, 3))
        args = [[count], [start, start + count], [float(start), start + step * count, step], [abs(start), abs(start) + 3 * count, 3]][kind]
        if kind == 3:
            expected = torch.arange(*args)
            m.add([DEVICE, *args, "u32"], lambda: expected)
        else:
            m.add([DEVICE, *args], lambda: torch.arange(*args, dtype=torch.float64))
    m.fails([DEVICE, 0, 5, -7], "arange: steps of -7 do not lead from 0 to 5")
    m.op("linspace")
    for _ in range(m.count // 2):
        a, b, n = float(m.numbers(())), float(m.numbers(())), m.integer(0, 9)
        m.add([DEVICE, a, b, n], lambda: torch.linspace(a, b, n, dtype=torch.float64))
    m.op("eye")
    for _ in range(m.count // 2):
        n, k, d = m.integer(0, 5), m.integer(0, 5), m.integer(-4, 4)
        args = m.one_of([n], [n, k], [n, k, d])
        wanted = torch.from_numpy(np.eye(*args))
        m.add([DEVICE, *args], lambda: wanted)
    for name, value in (("zerosLike", 0), ("onesLike", 1), ("fillLike", 7)):
        m.op(name, value=0)
        for _ in range(m.count // 5):
            x = m.u32(m.random.integers(0, 9, size=m.shape())) if m.chance(0.3) else m.x(m.numbers(m.shape()))
            args = [x, value] if name == "fillLike" else [x]
            m.add(args, lambda x: torch.full_like(x.detach(), value), gradient=False)


def resizing(m):
    m.op("interpolate", value=1e-5)
    for _ in range(m.count):
        b, c, h, w = m.integer(1, 2), m.integer(1, 2), m.integer(1, 5), m.integer(1, 5)
        height, width = m.integer(1, 7), m.integer(1, 7)
        mode = m.one_of("nearest", "bilinear", "bicubic")
        given, corners, anti = {"mode": mode}, None, False
        if mode != "nearest":
            corners = m.one_of(False, True)
            if corners:
                given["alignCorners"] = True
            elif m.chance(0.4):
                given["antialias"] = anti = True
        turned = m.chance(0.3)
        if not turned:
            given["channels"] = "first"

        def reference(x):
            x = x.movedim(-1, 1) if turned else x
            y = F.interpolate(x, (height, width), mode=mode, align_corners=corners, antialias=anti)
            return y.movedim(1, -1) if turned else y

        m.add([m.x(m.numbers([b, h, w, c] if turned else [b, c, h, w])), height, width, given], reference)


def make(m):
    shapes(m)
    indices(m)
    scatters(m)
    found(m)
    made(m)
    resizing(m)
