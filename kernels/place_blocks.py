"""Put blocks of several relations in their places: k times ``(n_i, *block)`` -> ``(n, *block)``.

``places[i]`` ``(n_i,)`` is where the blocks of part ``i`` go; together they fill every place once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import run_grid
from gpudb.kernels.launch import Device, cuda, size


def reference(parts: list[Any], places: list[Any]) -> Any:
    """One copy of each block."""
    out = np.empty(shape(parts, places), parts[0].dtype)
    for part, place in zip(parts, places, strict=True):
        out[place] = part
    return out


def shape(parts: list[Any], places: list[Any]) -> tuple[int, ...]:
    """Shape of the result."""
    return (sum(len(place) for place in places), *parts[0].shape[1:])


def launch(device: Device, parts: list[Any], places: list[Any]) -> Any:
    """One launch for each part."""
    out = device.empty(shape(parts, places), parts[0].dtype)
    each = size(out.shape[1:])
    for part, place in zip(parts, places, strict=True):
        blocks, threads = run_grid(device, len(part), each, out.dtype.itemsize)
        args = (device.contiguous(part), device.rows(place), out, len(part), each)
        device.launch(cuda("place_blocks", T=out.dtype), blocks, threads, args)
    return out


place_blocks = Kernel("place_blocks", reference, shape, launch=launch)
