"""Matrices side by side: k times ``(n, w_i)`` -> ``(n, sum w_i)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpudb.kernels import Kernel


def reference(parts: Sequence[Any]) -> Any:
    """One copy of each."""
    return np.concatenate(parts, axis=1)


def shape(parts: Sequence[Any]) -> tuple[int, ...]:
    """Shape of the result."""
    return (parts[0].shape[0], sum(part.shape[1] for part in parts))


concat_columns = Kernel("concat_columns", reference, shape)
