"""Elementwise functions of vectors, for the end of a product."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.activations import (
    GELU,
    GELU_TANH,
    NONE,
    QUICK_GELU,
    RELU,
    SIGMOID,
    SILU,
)
from gpudb.backend.jit.compiled.functions import LOG2_E, erf, exp2, first_positive
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import absolute, larger, splat, with_sign

_ONE, _TWO, _HALF, _ZERO = np.float32(1), np.float32(2), np.float32(0.5), np.float32(0)
_ROOT_HALF, _CUBE = np.float32(np.sqrt(0.5)), np.float32(0.044715)
_TANH_GELU, _QUICK_GELU = np.float32(np.sqrt(2 / np.pi)), np.float32(1.702)


@part
def activate(x: Any, activation: int) -> Any:
    """One of the functions above, by number."""
    if activation == NONE:
        return x
    if activation == RELU:
        return larger(x, splat(_ZERO))
    if activation == GELU:
        return (erf(x * splat(_ROOT_HALF)) + splat(_ONE)) * splat(_HALF) * x
    if activation == GELU_TANH:
        inner = splat(_TANH_GELU) * (x + splat(_CUBE) * x * x * x)
        return (_tanh(inner) + splat(_ONE)) * splat(_HALF) * x
    if activation == QUICK_GELU:
        return x * _sigmoid(splat(_QUICK_GELU) * x)
    if activation == SIGMOID:
        return _sigmoid(x)
    if activation == SILU:
        return x * _sigmoid(x)
    return _tanh(x)


@part
def _tanh(x: Any) -> Any:
    """``tanh x``, within 1.5e-7 of it: near 0 the error is not relative."""
    e = exp2(absolute(x) * splat(-_TWO * LOG2_E))
    return with_sign((splat(_ONE) - e) / (splat(_ONE) + e), x)


@part
def _sigmoid(x: Any) -> Any:
    """``1 / (1 + e**-x)``, from the side where nothing overflows."""
    e = exp2(absolute(x) * splat(-LOG2_E))
    return first_positive(x, splat(_ONE), e) / (splat(_ONE) + e)
