"""Matrices side by side: k times ``(n, w_i)`` -> ``(n, sum w_i)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import flat, run_grid
from gpudb.kernels.launch import Device, cuda


def reference(parts: Sequence[Any]) -> Any:
    """One copy of each."""
    return np.concatenate(parts, axis=1)


def shape(parts: Sequence[Any]) -> tuple[int, ...]:
    """Shape of the result."""
    return (parts[0].shape[0], sum(part.shape[1] for part in parts))


def launch(device: Device, parts: Sequence[Any]) -> Any:
    """One launch for each part."""
    out = device.empty(shape(parts), parts[0].dtype)
    rows, stride = out.shape
    first = 0
    for part in parts:
        width = part.shape[1]
        blocks, threads = run_grid(device, rows, width, out.dtype.itemsize)
        args = (device.contiguous(part), flat(out, first), rows, width, stride)
        device.launch(cuda("concat_columns", T=out.dtype), blocks, threads, args)
        first += width
    return out


concat_columns = Kernel("concat_columns", reference, shape, launch=launch)
