"""Makes the cases that judge our ops: values and gradients by PyTorch and NumPy in float64. See README.md.

    python3 make.py [--seed 1] [--count 50] [--limit 24] [--out cases]
"""
import argparse
import os
import sys

import torch

sys.dont_write_bytecode = True
from groups import dtypes, layout, pointwise, products, reductions, training
from groups.core import Maker

GROUPS = {"pointwise": pointwise, "reductions": reductions, "layout": layout, "products": products, "training": training, "dtypes": dtypes}

if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--count", type=int, default=50, help="cases of most ops")
    options.add_argument("--limit", type=int, default=24, help="elements of most inputs, at most")
    options.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "cases"))
    given = options.parse_args()
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)
    os.makedirs(given.out, exist_ok=True)
    for name, group in GROUPS.items():
        maker = Maker(given.seed, given.count, given.limit)
        group.make(maker)
        path = os.path.join(given.out, f"{name}.json.gz")
        maker.write(path)
        cases = sum(len(op["cases"]) for op in maker.ops.values())
        print(f"{path}: {len(maker.ops)} ops, {cases} cases, {os.path.getsize(path)} bytes")
