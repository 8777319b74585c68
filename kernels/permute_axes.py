"""Put axes in another order: ``(n, a, b, …)`` -> ``(n, b, a, …)``, contiguous."""

from __future__ import annotations

from math import prod
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
        written = contiguous_steps(out.shape)
        back = box(x.shape, [written[order.index(axis)] for axis in range(x.ndim)])
        _by_runs(device, x, out, whole, back)
    else:
        function = cuda("permute_axes", "permute_axes_tiled", T=x.dtype, AXES=through.outer.axes)
        blocks = grid_for(through.number, 1)
        threads = device.block_size(TILE_THREADS)
        device.launch(function, blocks, threads, (x, out, *through.numbers()))
    return out


def _by_runs(device: Device, x: Any, out: Any, whole: Box, back: Box) -> None:
    """In the order of the result, or of ``x`` where neighbours of the other then meet earlier."""
    scattered = _far_places(back) < _far_places(whole)
    walked = back if scattered else whole
    packed = walked.is_packed(x.dtype.itemsize)
    blocks, threads = element_grid(device, walked.size, per_access(x.dtype.itemsize, packed))
    function = cuda("permute_axes", T=x.dtype, AXES=walked.axes)
    args = (x, out, walked.size, packed, scattered, *walked.numbers())
    device.launch(function, blocks, threads, args)


def _far_places(walked: Box) -> int:
    """Runs of the other array between two that are neighbours there, and may share a sector."""
    (steps,) = walked.steps
    outer = steps[:-1] if steps[-1] == 1 else steps
    return prod(walked.extents[outer.index(min(outer)) + 1 :]) if outer else 1


permute_axes = Kernel("permute_axes", reference, shape, launch=launch)
