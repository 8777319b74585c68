"""Functions of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.llvm import FLOATS, INTS, constant, float_call, integer
from gpudb.backend.jit.compiled.vectors import operation, vector
from gpudb.kernels.elementwise import ERF_DENOMINATOR, ERF_NUMERATOR

EXP = (
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
)
"""Of ``(e**x - 1 - x) / x**2`` near 0; Cephes 2.2, ``expf``."""

LEAST = -88.0
"""Where ``2**n`` has become 0: n is -127, and no exponent is as small."""

WHOLE = 1.5 * 2**23
"""A sum with it has no digits behind the point: its last bits are an integer."""


@operation(vector, vector)
def exp(builder, x):  # type: ignore[no-untyped-def]
    """``e**x`` for x ≤ 0, within 2 units in the last place; 0 below -87.7, NaN for NaN.

    Method of Cephes' ``expf``: a power of two, and a polynomial for what is left.
    """
    x = builder.select(builder.fcmp_ordered("<", x, constant(LEAST)), constant(LEAST), x)
    sum_ = float_call(builder, "fma", x, constant(np.log2(np.e)), constant(WHOLE))
    n = builder.fsub(sum_, constant(WHOLE))
    # ln 2 in two parts, the first exact in few bits: the difference keeps its digits.
    rest = float_call(builder, "fma", n, constant(-0.693359375), x)
    rest = float_call(builder, "fma", n, constant(2.12194440e-4), rest)
    p = _horner(builder, EXP, rest)
    p = float_call(builder, "fma", p, builder.fmul(rest, rest), builder.fadd(rest, constant(1)))
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
