"""``layer_norm(x + bias + residual)`` in one pass over each row."""

from __future__ import annotations

from gpudb.backend.jit.kernels.layer_norm import normalized
from gpudb.backend.jit.rows import new_rows
from gpudb.types import HostArray


def residual_layer_norm(
    x: HostArray,
    bias: HostArray | None,
    residual: HostArray,
    gamma: HostArray,
    beta: HostArray,
    eps: float,
) -> HostArray:
    """As :mod:`gpudb.kernels.residual_layer_norm`."""
    return normalized(x, residual, bias, gamma, beta, eps, new_rows(*residual.shape))
