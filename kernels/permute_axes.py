"""Put axes in another order: ``(n, a, b, …)`` -> ``(n, b, a, …)``, contiguous."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel


def reference(x: Any, order: tuple[int, ...]) -> Any:
    """A copy; ``order`` names every axis once, the first included."""
    return np.ascontiguousarray(x.transpose(order))


def shape(x: Any, order: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape[axis] for axis in order)


permute_axes = Kernel("permute_axes", reference, shape)
