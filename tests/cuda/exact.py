"""Rational numbers rounded once: what the emulator's arithmetic is held to."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

PRECISION = {"f2": (11, -24), "f4": (24, -149), "f8": (53, -1074)}
"""Bits, and the exponent of the smallest denormal."""


def rounded(value: Fraction, dtype: str, mode: str = "rn", ftz: bool = False) -> float:
    """Nearest even (rn), down (rm), up (rp) or to zero (rz); no overflow."""
    if value == 0:
        return 0.0
    bits, least = PRECISION[dtype]
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if Fraction(2) ** exponent > size:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - bits + 1, least)
    scaled = value / unit
    floor = scaled.numerator // scaled.denominator
    rest = scaled - floor
    up = {
        "rn": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1),
        "rm": False,
        "rp": rest > 0,
        "rz": rest > 0 and value < 0,
    }[mode]
    result = float((floor + up) * unit)
    return 0.0 if ftz and abs(result) < 2.0**-126 else result


def fma(a: Any, b: Any, c: Any, dtype: str, mode: str = "rn", ftz: bool = False) -> Any:
    """``a * b + c`` of every element, rounded once."""
    triples = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    values = [
        rounded(Fraction(x) * Fraction(y) + Fraction(z), dtype, mode, ftz) for x, y, z in triples
    ]
    return np.array(values).astype(dtype)
