"""Which kernels are compiled; the others run as NumPy references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gpudb.backend.jit.kernels.attention import attention
from gpudb.backend.jit.kernels.embedding_layer_norm import embedding_layer_norm
from gpudb.backend.jit.kernels.gated import gated
from gpudb.backend.jit.kernels.layer_norm import layer_norm
from gpudb.backend.jit.kernels.pool import pool
from gpudb.backend.jit.kernels.residual_layer_norm import residual_layer_norm
from gpudb.backend.jit.kernels.rms_norm import rms_norm
from gpudb.backend.jit.kernels.rotary import rotary

COMPILED: Mapping[str, Callable[..., Any]] = {
    "attention": attention,
    "embedding_layer_norm": embedding_layer_norm,
    "gated": gated,
    "layer_norm": layer_norm,
    "pool": pool,
    "residual_layer_norm": residual_layer_norm,
    "rms_norm": rms_norm,
    "rotary": rotary,
}
"""Name of a kernel -> the same function of float32 arrays, compiled."""
