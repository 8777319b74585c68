"""Small pieces of CUDA, compiled and run on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.cuda import nvrtc
from tests.cuda.ptx import Traffic, parse, run

TYPES = {
    "i1": "signed char",
    "u1": "unsigned char",
    "i2": "short",
    "u2": "unsigned short",
    "i4": "int",
    "u4": "unsigned",
    "i8": "long long",
    "u8": "unsigned long long",
    "f2": "__half",
    "f4": "float",
    "f8": "double",
}

HEADERS = "#include <cuda_fp16.h>\n#include <cuda_bf16.h>\n"


def evaluate(
    expression: str, inputs: Sequence[Any], result: str, architecture: int = 80, **types: str
) -> Any:
    """``expression`` of x, y, z for every element: arrays of equal length -> an array.

    ``types`` names CUDA types where those of the arrays' dtypes are not meant.
    """
    names = "xyz"[: len(inputs)]
    ctypes = {n: types.get(n, TYPES[a.dtype.str[1:]]) for n, a in zip(names, inputs, strict=True)}
    out_type = types.get("out", TYPES[np.dtype(result).str[1:]])
    parameters = "".join(f"const {ctypes[n]}* p{n}, " for n in names)
    loads = "".join(f"const {ctypes[n]} {n} = p{n}[i]; " for n in names)
    source = f"""{HEADERS}
    extern "C" __global__ void f({parameters}{out_type}* out, int n) {{
      const int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (i < n) {{ {loads} out[i] = {expression}; }}
    }}"""
    out = np.zeros(len(inputs[0]), result)
    launch(source, (*inputs, out, len(out)), -(-len(out) // 64), 64, architecture=architecture)
    return out


def launch(
    source: str,
    args: Sequence[Any],
    blocks: int = 1,
    threads: int = 32,
    shared: int = 0,
    architecture: int = 80,
) -> Traffic:
    """Run the function ``f`` of a text."""
    kernel = parse(nvrtc.ptx(source, architecture))["f"]
    return run(kernel, (blocks,), (threads,), args, shared)
