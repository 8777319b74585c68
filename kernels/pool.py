"""One row per sequence: ``(n, w)``, offsets ``(s + 1,)`` -> ``(s, w)``; optionally normalised.

``mean`` and ``max`` go over all rows of the sequence, ``cls`` takes the first. A sequence without
rows gives zeros. With ``eps`` each row is divided by its Euclidean norm, or by ``eps`` if that is
larger.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.reduce_axis import norm
from gpudb.kernels.sequences import equal_length_runs


def reference(x: Any, offsets: Any, kind: str, eps: float | None) -> Any:
    """Reduce each run of equally long sequences along its rows."""
    out = np.zeros(shape(x, offsets, kind, eps), x.dtype)
    for run in equal_length_runs(offsets):
        rows = x[run.rows].reshape(run.count, run.length, -1)
        target = out[run.sequences]
        if kind == "mean":
            np.mean(rows, axis=1, out=target)
        elif kind == "max":
            np.max(rows, axis=1, out=target)
        else:
            target[...] = rows[:, 0]
    return out if eps is None else normalize(out, eps)


def normalize(x: Any, eps: float) -> Any:
    """Rows of ``x`` divided by their Euclidean norm, at least ``eps``."""
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))
    if not np.isfinite(norms).all():  # a square may have overflowed where the norm does not
        norms = norm(x, 1).astype(x.dtype)
    return x / np.maximum(norms, eps)[:, None]


def shape(x: Any, offsets: Any, kind: str, eps: float | None) -> tuple[int, ...]:
    """Shape of the result."""
    return (offsets.shape[0] - 1, x.shape[1])


pool = Kernel("pool", reference, shape)
