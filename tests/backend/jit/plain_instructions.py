"""A plugin of pytest: bfloat16 and int8 on a processor that lacks their instructions.

What VDPBF16PS, VPDPBUSD and VCVTNEPS2BF16 do is written out in plain LLVM. So all that is around
them is tested wherever the tests run; the instructions themselves are where there are any. It has
to come before anything is compiled, and machine code made with it has to be kept apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numba import types

from gpudb.backend.jit import target

LACKING = target.TARGET
target.TARGET = replace(LACKING, bfloat16=True, int8=True)

from gpudb.backend.jit.compiled import tile, vectors  # noqa: E402
from gpudb.backend.jit.compiled.llvm import FLOATS, INT, INTS, float_call, integer  # noqa: E402


def _by_pairs(builder: Any, left: Any, right: Any, sums: Any) -> Any:
    """Numbers of bfloat16 are the upper halves of float32."""
    pairs = left, builder.bitcast(right, INTS)
    lower = (builder.shl(bits, integer(16)) for bits in pairs)
    upper = (builder.and_(bits, integer(-1 << 16)) for bits in pairs)
    for factors in (lower, upper):
        sums = float_call(builder, "fma", *(builder.bitcast(x, FLOATS) for x in factors), sums)
    return sums


def _by_fours(builder: Any, left: Any, right: Any, sums: Any) -> Any:
    """Bytes of the left factor have no sign, those of the right one do."""
    for shift in range(0, 32, 8):
        byte = builder.and_(builder.lshr(left, integer(shift)), integer(255))
        signed = builder.ashr(builder.shl(right, integer(24 - shift)), integer(24))
        sums = builder.add(sums, builder.mul(byte, signed))
    return sums


tile.STEPS = {
    **tile.STEPS,
    types.uint16: tile.Step(INT, FLOATS, _by_pairs),
    types.int8: tile.Step(INT, INTS, _by_fours),
}
vectors.TARGET = LACKING  # rounds without the instruction
