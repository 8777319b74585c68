"""Put axes in another order: ``(n, a, b, …)`` -> ``(n, b, a, …)``, contiguous."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import (
    TILE_THREADS,
    Box,
    box,
    contiguous_steps,
    element_grid,
    per_access,
    tiles,
)
from gpudb.kernels.launch import Device, cuda, grid_for


def reference(x: Any, order: tuple[int, ...]) -> Any:
    """A copy; ``order`` names every axis once, the first included."""
    return np.ascontiguousarray(x.transpose(order))


def shape(x: Any, order: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape[axis] for axis in order)


def launch(device: Device, x: Any, order: tuple[int, ...]) -> Any:
    """Through tiles where other neighbours are read than written, else run by run."""
    x = device.contiguous(x)
    out = device.empty(shape(x, order), x.dtype)
    steps = contiguous_steps(x.shape)
    whole = box(out.shape, [steps[axis] for axis in order])
    through = tiles(whole)
    if through is None:
        _by_runs(device, x, out, whole)
    else:
        function = cuda("permute_axes", "permute_axes_tiled", T=x.dtype, AXES=through.outer.axes)
        blocks = grid_for(through.number, 1)
        threads = device.block_size(TILE_THREADS)
        device.launch(function, blocks, threads, (x, out, *through.numbers()))
    return out


def _by_runs(device: Device, x: Any, out: Any, whole: Box) -> None:
    packed = whole.is_packed(x.dtype.itemsize)
    blocks, threads = element_grid(device, whole.size, per_access(x.dtype.itemsize, packed))
    function = cuda("permute_axes", T=x.dtype, AXES=whole.axes)
    device.launch(function, blocks, threads, (x, out, whole.size, packed, *whole.numbers()))


permute_axes = Kernel("permute_axes", reference, shape, launch=launch)
