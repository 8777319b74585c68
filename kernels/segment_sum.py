"""Add neighbouring blocks that share a group: ``(m, *block)``, starts ``(g,)`` -> ``(g, *block)``.

Group ``i`` holds the blocks from ``starts[i]`` up to the next start; no group is empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel


def reference(x: Any, starts: Any) -> Any:
    """In order, so the result does not depend on how the work is divided."""
    return np.add.reduceat(x, starts, axis=0) if len(starts) else x[:0]


def shape(x: Any, starts: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(starts), *x.shape[1:])


segment_sum = Kernel("segment_sum", reference, shape)
