"""Elementwise functions that compiled code has, by number."""

from __future__ import annotations

from collections.abc import Mapping

NONE, RELU, GELU, GELU_TANH, QUICK_GELU, SIGMOID, SILU, TANH = range(8)

ACTIVATIONS: Mapping[str | None, int] = {
    None: NONE,
    "relu": RELU,
    "gelu": GELU,
    "gelu_tanh": GELU_TANH,
    "quick_gelu": QUICK_GELU,
    "sigmoid": SIGMOID,
    "silu": SILU,
    "tanh": TANH,
}
"""Name in a plan -> number that compiled functions know it by."""
