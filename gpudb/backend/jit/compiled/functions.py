"""Functions of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.llvm import (
    FLOATS,
    INTS,
    constant,
    float_call,
    instruction,
    integer,
)
from gpudb.backend.jit.compiled.vectors import operation, vector
from gpudb.backend.jit.target import TARGET
from gpudb.kernels.elementwise import ERF_DENOMINATOR, ERF_NUMERATOR

EXP2 = (1.32647273e-3, 9.67151299e-3, 5.55073358e-2, 2.40222424e-1, 6.93147004e-1, 1.0)
"""Of ``2**x`` from -1/2 to 1/2, the highest power first: least relative error (9e-8) of degree 5
with 1 at 0, by Lawson's iteration."""

LOG2_E = np.float32(np.log2(np.e))
"""``e**x`` is ``2**(x * LOG2_E)``."""

LEAST = -127.0
"""Where ``2**n`` has become 0 without an instruction for it: no exponent is as small."""

WHOLE = 1.5 * 2**23
"""A sum with it has no digits behind the point: its last bits are an integer."""


@operation(vector, vector)
def exp2(builder, x):  # type: ignore[no-untyped-def]
    """``2**x`` for x ≤ 0, within 2 units in the last place; NaN for NaN.

    A polynomial for what a whole number leaves, times a power of two. Below -126 results are
    denormal where an instruction scales them, elsewhere 0 from -126.5 on.
    """
    if TARGET.powers:
        rest = instruction(builder, FLOATS, "vreduceps $$8, $1, $0", x)  # 0 of an infinite number
        p, whole = _horner(builder, EXP2, rest), builder.fsub(x, rest)
        return instruction(builder, FLOATS, "vscalefps $2, $1, $0", p, whole)
    x = builder.select(builder.fcmp_ordered("<", x, constant(LEAST)), constant(LEAST), x)
    sum_ = builder.fadd(x, constant(WHOLE))
    p = _horner(builder, EXP2, builder.fsub(x, builder.fsub(sum_, constant(WHOLE))))
    # The integer moves to where the exponent is; what else the sum has leaves at the top.
    exponent = builder.shl(builder.bitcast(sum_, INTS), integer(23))
    power = builder.bitcast(builder.add(exponent, integer(127 << 23)), FLOATS)
    return builder.fmul(p, power)


@operation(vector, vector)
def erf(builder, x):  # type: ignore[no-untyped-def]
    """Error function, within 5e-7, as in :mod:`gpudb.kernels.elementwise`."""
    for sign, limit in (("<", -4.0), (">", 4.0)):
        bound = constant(limit)
        x = builder.select(builder.fcmp_ordered(sign, x, bound), bound, x)
    square = builder.fmul(x, x)
    numerator = builder.fmul(x, _horner(builder, ERF_NUMERATOR, square))
    return builder.fdiv(numerator, _horner(builder, ERF_DENOMINATOR, square))


@operation(vector, vector, vector, vector)
def first_positive(builder, x, y, z):  # type: ignore[no-untyped-def]
    """``y`` where x ≥ 0, else ``z``."""
    return builder.select(builder.fcmp_ordered(">=", x, constant(0)), y, z)


def _horner(builder: Any, coefficients: Sequence[float], x: Any) -> Any:
    """A polynomial, coefficients from the highest power down."""
    value = constant(coefficients[0])
    for c in coefficients[1:]:
        value = float_call(builder, "fma", value, x, constant(c))
    return value
