"""Kernels: one file per kernel, named for what it computes. Import name: gpudb.kernels.

A kernel's meaning is a NumPy function (``reference``) and the shape of its result (``shape``).
The NumPy backend runs the reference itself, so a reference is vectorised and works through its
rows in pieces that stay in cache. Nothing here imports a device library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

if __name__ != "gpudb.kernels":
    raise ImportError("this folder is gpudb.kernels; write `from gpudb import kernels`")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: what it is called and what it means."""

    name: str
    reference: Callable[..., Any]
    """The result, in NumPy."""
    shape: Callable[..., tuple[int, ...]]
    """Shape of the result, from the same arguments, without computing it."""
    dtype: Callable[..., Any] | None = None
    """Dtype of the result, from the same arguments; None: that of the first array."""
