"""Kernels: two files per kernel, named for what it computes. Import name: gpudb.kernels.

``x.py`` says what the kernel means: a NumPy function (``reference``), the shape of its result
(``shape``) and how it is launched on a GPU (``launch``); ``x.cu`` does it in CUDA. The NumPy
backend runs the reference itself, so a reference is vectorised and works through its rows in pieces
that stay in cache. Nothing here imports a device library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

if __name__ != "gpudb.kernels":
    raise ImportError("this folder is gpudb.kernels; write `from gpudb import kernels`")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: what it is called, what it means and how a GPU does it."""

    name: str
    reference: Callable[..., Any]
    """The result, in NumPy."""
    shape: Callable[..., tuple[int, ...]]
    """Shape of the result, from the same arguments, without computing it."""
    dtype: Callable[..., Any] | None = None
    """Dtype of the result, from the same arguments; None: that of the first array."""
    launch: Callable[..., Any] | None = None
    """The result on a GPU: a :class:`gpudb.kernels.launch.Device`, then the same arguments."""
