"""Mean and sum of squared differences of whole lines -> their variance, divided by ``total``.

``(g, 2, *rest)`` float64 -> ``(g, *rest)`` in dtype ``result``.
"""

from __future__ import annotations

from typing import Any

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, size, thread_grid


def reference(states: Any, total: int, result: str) -> Any:
    """The last step of a variance in two levels."""
    return (states[:, 1] / total).astype(result)


def shape(states: Any, total: int, result: str) -> tuple[int, ...]:
    """Shape of the result."""
    return (states.shape[0], *states.shape[2:])


def dtype(states: Any, total: int, result: str) -> str:
    """That of the tensor whose variance it is."""
    return result


def launch(device: Device, states: Any, total: int, result: str) -> Any:
    """A thread for each element."""
    states = device.contiguous(states)
    out = device.empty(shape(states, total, result), result)
    groups, rest = states.shape[0], size(states.shape[2:])
    blocks, threads = thread_grid(device, groups * rest)
    args = (states, out, groups, rest, total)
    device.launch(cuda("variance_of_moments", T=out.dtype), blocks, threads, args)
    return out


variance_of_moments = Kernel("variance_of_moments", reference, shape, dtype, launch=launch)
