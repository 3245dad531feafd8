"""What all groups of cases share: random inputs, the reference's values and gradients in float64, and how a case is written."""
import gzip
import json
import math
import zlib

import numpy as np
import torch

class Input:
    """An input of a case; of one that is `constant` there is no gradient."""

    def __init__(self, data, dtype="f32", constant=False):
        self.dtype = dtype
        self.constant = constant
        self.data = np.asarray(data, dtype={"f32": np.float32, "i32": np.int32, "u32": np.uint32, "bool": bool}[dtype])

    @property
    def shape(self):
        return np.shape(self.data)

    def torch(self):
        if self.dtype != "f32":
            return torch.from_numpy(np.array(self.data, dtype=np.int64 if self.dtype == "u32" else self.data.dtype))
        return torch.from_numpy(np.array(self.data, dtype=np.float64)).requires_grad_(not self.constant)


DEVICE = {"device": True}


class Maker:
    """Makes the cases of a file. Each op has a generator of its own, made of the seed and its name: a new op changes no other."""

    def __init__(self, seed, count, limit):
        self.seed, self.count, self.limit = seed, count, limit
        self.ops = {}

    def op(self, name, value=1e-5, gradient=1e-5, relative=False, gradient_relative=False):
        """Begins an op. Tolerances are relative to each value, or to the largest of a tensor (1 at least)."""
        self.name = name
        self.random = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        # Of its own, so that first derivatives are judged at the same points whatever is drawn for second ones.
        self.directions = np.random.default_rng([self.seed, zlib.crc32(name.encode()), 2])
        self.entry = self.ops.setdefault(
            name,
            {
                "tolerance": {"value": value, "gradient": gradient},
                "relative": {"value": relative, "gradient": gradient_relative},
                "cases": [],
            },
        )

    # Random choices.

    def chance(self, p):
        return self.random.random() < p

    def one_of(self, *choices):
        return choices[self.random.integers(len(choices))]

    def integer(self, low, high):
        """From low to high, with both."""
        return int(self.random.integers(low, high + 1))

    def shape(self, least=0, most=4, empty=0.06, limit=None):
        limit = limit or self.limit
        rank = self.integer(least, most)
        sizes = [1, 1, 2, 3, 4, 5, 7, 8] + ([13, 33, 67] if limit > 100 else [])
        shape = [int(self.one_of(*sizes)) for _ in range(rank)]
        while math.prod(shape) > limit:
            at = self.integer(0, rank - 1)
            shape[at] = max(1, shape[at] // 2)
        if rank and self.chance(empty):
            shape[self.integer(0, rank - 1)] = 0
        return shape

    def axis(self, rank):
        return self.integer(-rank, rank - 1)

    def axes(self, rank):
        """Some axes in any order, some of them counted from the end."""
        some = self.random.permutation(rank)[: self.integer(1, rank)]
        return [int(a) - rank if self.chance(0.5) else int(a) for a in some]

    # Inputs.

    def numbers(self, shape, low=-3.0, high=3.0, grain=16):
        """Multiples of 1/grain: exact in f32 and short in a file."""
        return self.random.integers(math.ceil(low * grain), math.floor(high * grain) + 1, size=shape) / grain

    def wide(self, shape, smallest=1e-6, largest=1e4, signed=True):
        """Three digits and any magnitude."""
        size = 10 ** self.random.uniform(math.log10(smallest), math.log10(largest), size=shape)
        value = np.vectorize(lambda v: float(f"{v:.2e}"), otypes=[float])(size)
        return value * (self.random.choice([-1, 1], size=shape) if signed else 1)

    def distinct(self, shape, grain=16):
        """No two are equal, so that maxima and orders are the only ones."""
        n = math.prod(shape)
        return ((self.random.permutation(2 * n + 3)[:n] - n) / grain).reshape(shape)

    def x(self, data):
        return Input(data)

    def u32(self, data):
        return Input(data, "u32")

    def i32(self, data):
        return Input(data, "i32")

    def bool(self, data):
        return Input(data, "bool")

    # Cases.

    def add(self, args, reference, gradient=True, dy=None, dtype=None):
        """
        A case: `args` as our op takes them, with Inputs in any places; `reference(*tensors)` gives a tensor or several, in float64.
        Where `gradient`, each float result gets a random dy, and what arrives at each float input is stored.
        """
        inputs = []
        encoded = self._args(args, inputs)
        xs = [x.torch() for x in inputs]
        made = reference(*xs)
        results = [made] if isinstance(made, torch.Tensor) else list(made)
        case = {"args": encoded, "inputs": [self._input(x) for x in inputs]}
        case["results"] = [self._result(y, dtype) for y in results]
        floats = [y for y in results if y.dtype == torch.float64]
        wrt = [x for x in xs if x.requires_grad]
        if gradient and wrt and floats and all(y.requires_grad for y in floats):
            dys = [dy if dy is not None else self.numbers(tuple(y.shape), -2, 2, 4) for y in floats]
            dys = [np.broadcast_to(np.asarray(d, dtype=np.float64), tuple(y.shape)) for d, y in zip(dys, floats)]
            grads = torch.autograd.grad(floats, wrt, [torch.from_numpy(d.copy()) for d in dys], allow_unused=True)
            case["dys"] = [self._list(d) for d in dys]
            case["gradients"] = [
                self._list(np.zeros(tuple(x.shape)) if g is None else g.numpy()) for x, g in zip(wrt, grads)
            ]
            self._second(case, inputs, reference, dys)
        self.entry["cases"].append(case)

    def _second(self, case, inputs, reference, dys):
        """
        Gradients of gradients: those of Σ w · gradient in a random direction w, with respect to the inputs and to what arrives (dy). They are
        central differences along w in float64, of the gradients and of the values (the Hessian is symmetric), and what torch differentiates
        twice: only where both agree, for there is a corner else. Nothing is stored where all are zero.
        """
        if not all(x.data.size and np.isfinite(x.data).all() for x in inputs) or not all(d.size for d in dys):
            return
        w = [self.directions.integers(-4, 5, size=x.shape) / 2 for x in inputs if x.dtype == "f32" and not x.constant]

        def at(step):
            """Inputs moved along w, results and gradients there, and what these are computed from."""
            xs, moved = [x.torch() for x in inputs], iter(w)
            for x in xs:
                if x.requires_grad:
                    x.data += step * torch.from_numpy(np.asarray(next(moved)))
            made = reference(*xs)
            ys = [y for y in ([made] if isinstance(made, torch.Tensor) else list(made)) if y.dtype == torch.float64]
            arriving = [torch.from_numpy(d.copy()).requires_grad_() for d in dys]
            wrt = [x for x in xs if x.requires_grad]
            grads = torch.autograd.grad(ys, wrt, arriving, allow_unused=True, create_graph=True)
            return ys, [torch.zeros_like(x) if g is None else g for x, g in zip(wrt, grads)], wrt + arriving

        ys, grads, of = at(0)
        h = [(g * torch.from_numpy(np.asarray(one))).sum() for g, one in zip(grads, w) if g.requires_grad]
        if not h:
            return
        exact = torch.autograd.grad(sum(h), of, allow_unused=True)
        exact = [np.zeros(tuple(x.shape)) if g is None else g.numpy() for x, g in zip(of, exact)]
        step = 1e-4
        up, down = at(step), at(-step)
        differences = [((a - b) / (2 * step)).detach().numpy() for a, b in zip(up[1] + up[0], down[1] + down[0])]
        for a, b in zip(exact, differences):
            if not np.allclose(a, b, rtol=1e-5, atol=1e-5 * max(1, np.abs(b).max(initial=0))):
                return
        if any(np.any(g) for g in exact):
            case["directions"] = [self._list(one) for one in w]
            case["seconds"] = [self._list(np.vectorize(lambda v: float(f"{v:.5g}"), otypes=[float])(g)) for g in exact]

    def fails(self, args, says):
        """What the reference refuses, or we do: the op must throw, with these words."""
        inputs = []
        encoded = self._args(args, inputs)
        self.entry["cases"].append({"args": encoded, "inputs": [self._input(x) for x in inputs], "throws": says})

    def _args(self, value, inputs):
        if isinstance(value, Input):
            if not any(value is x for x in inputs):
                inputs.append(value)
            return {"input": next(i for i, x in enumerate(inputs) if x is value)}
        if isinstance(value, dict):
            return {k: self._args(v, inputs) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._args(v, inputs) for v in value]
        if isinstance(value, float):
            return self._number(value)
        return int(value) if isinstance(value, np.integer) else value

    def _input(self, x):
        record = {"shape": list(x.shape), "data": self._list(x.data)}
        if x.dtype != "f32":
            record["dtype"] = x.dtype
        if x.constant:
            record["constant"] = True
        return record

    def _result(self, y, dtype):
        y = y.detach()
        isFloat = y.dtype == torch.float64
        record = {"shape": list(y.shape), "data": self._list(y.numpy())}
        kind = dtype or ("f32" if isFloat else {torch.bool: "bool", torch.int32: "i32"}.get(y.dtype, "u32"))
        if kind != "f32":
            record["dtype"] = kind
        return record

    def _list(self, values):
        values = np.asarray(values).ravel()
        # Whole numbers have all their digits.
        return [self._number(v) for v in values] if values.dtype.kind == "f" else [int(v) for v in values]

    def _number(self, v):
        with np.errstate(over="ignore"):
            f = np.float32(v)
        if np.isnan(f):
            return "nan"
        if np.isinf(f):
            return "inf" if f > 0 else "-inf"
        if f == 0:
            return "-0" if np.signbit(f) and v == 0 else 0
        return int(f) if float(f).is_integer() and abs(f) < 1e6 else Short(f)

    def write(self, path):
        text = "{\n" + ",\n".join(
            f"{json.dumps(name)}: {encode({k: v for k, v in entry.items() if k != 'cases'})[:-1]}, \"cases\": [\n"
            + ",\n".join(encode(case) for case in entry["cases"])
            + "]}"
            for name, entry in self.ops.items()
        ) + "\n}\n"
        with open(path, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as out:
            out.write(text.encode())


class Short(float):
    """A float that is written as the shortest text that is the same f32."""

    def __repr__(self):
        return str(np.float32(self))


def encode(value):
    """JSON: the encoder of the standard library would write floats with 17 digits."""
    if isinstance(value, Short):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(encode(v) for v in value) + "]"
    return json.dumps(value)


def runs(x, axes):
    """x with these axes last and as one, and the shape of the others."""
    rank = x.dim()
    gone = sorted(a % rank for a in axes)
    kept = [a for a in range(rank) if a not in gone]
    shape = [x.shape[a] for a in kept]
    length = math.prod(x.shape[a] for a in gone)
    return x.permute(kept + gone).reshape(shape + [length])
