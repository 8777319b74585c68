"""Functions of one and of two elements, on NumPy arrays of float32 or float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

# erf(x) ≈ x·P(x²)/Q(x²) on [-4, 4] in float32, within 5e-7 (measured over 2 million points);
# beyond, erf is ±1 in float32. Coefficients: Eigen 3.4, highest power first.
ERF_NUMERATOR = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
ERF_DENOMINATOR = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)
_TANH_GELU = math.sqrt(2 / math.pi)
_QUICK_GELU = 1.702


def erf(x: Array) -> Array:
    """Error function; float32 by a rational polynomial, other dtypes exactly (and slowly)."""
    if x.dtype != np.float32:
        return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), x.dtype)
    z = np.clip(x, -4, 4)
    square = z * z
    z *= _horner(ERF_NUMERATOR, square)
    z /= _horner(ERF_DENOMINATOR, square)
    return z


def gelu(x: Array) -> Array:
    """``x·Φ(x)`` with the exact normal distribution (Hendrycks and Gimpel, 2016)."""
    half = erf(x * math.sqrt(0.5))
    half += 1
    half *= 0.5
    half *= x
    return half


def gelu_tanh(x: Array) -> Array:
    """The tanh approximation of :func:`gelu`, as in the original BERT and GPT-2 code."""
    inner = np.tanh(_TANH_GELU * (x + 0.044715 * x * x * x))
    inner += 1
    inner *= 0.5
    inner *= x
    return inner


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))`` without overflow."""
    e = np.exp(-np.abs(x))
    result: Array = np.where(x >= 0, 1, e) / (1 + e)
    return result


def silu(x: Array) -> Array:
    """``x · sigmoid(x)``."""
    result: Array = x * sigmoid(x)
    return result


def quick_gelu(x: Array) -> Array:
    """``x · sigmoid(1.702 x)``, another approximation of :func:`gelu`, as in CLIP's code."""
    result: Array = x * sigmoid(_QUICK_GELU * x)
    return result


def relu(x: Array) -> Array:
    """``max(x, 0)``; NaN stays NaN."""
    result: Array = np.maximum(x, 0)
    return result


MAPS: Mapping[str, Callable[[Array], Array]] = {
    "abs": np.abs,
    "exp": np.exp,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "negative": np.negative,
    "quick_gelu": quick_gelu,
    "relu": relu,
    "sigmoid": sigmoid,
    "silu": silu,
    "sqrt": np.sqrt,
    "square": np.square,
    "tanh": np.tanh,
}
"""Name in a plan -> function."""

ZIPS: Mapping[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "multiply": np.multiply,
    "subtract": np.subtract,
}
"""Name in a plan -> function of two arrays that broadcast."""


def functor(name: str | None) -> str:
    """Struct of a function in ``elementwise.cuh``: ``gelu_tanh`` -> ``GeluTanh``."""
    return "".join(map(str.capitalize, name.split("_"))) if name else "Identity"


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    result = x * coefficients[0]
    for c in coefficients[1:-1]:
        result += c
        result *= x
    result += coefficients[-1]
    return result
