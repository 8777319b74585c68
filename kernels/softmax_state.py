"""Maximum, and sum of exp of the differences to it, of the part of each row in a block.

``(n, *rows, w)``, lengths ``(n,)`` -> ``(n, 2, *rows)``. The state of softmax in one pass (Milakov
and Gimelshein, "Online normalizer calculation for softmax", 2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device
from gpudb.kernels.lines import launch_lines
from gpudb.kernels.rows import valid_pieces


def reference(x: Any, lengths: Any) -> Any:
    """A part of -inf only has the sum 0: another part of its row may be finite."""
    out = np.empty(shape(x, lengths), x.dtype)
    for rows, part in valid_pieces(x, lengths, x.ndim - 2):
        largest = part.max(-1, keepdims=True)
        e = part - np.where(largest == -np.inf, 0, largest)
        np.exp(e, out=e)
        out[rows, 0] = largest[..., 0]
        out[rows, 1] = e.sum(-1)
    return out


def shape(x: Any, lengths: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (x.shape[0], 2, *x.shape[1:-1])


def launch(device: Device, x: Any, lengths: Any) -> Any:
    """A warp or more for each row; 32 rows to a block where they are short."""
    out = device.empty(shape(x, lengths), x.dtype)
    launch_lines(device, "softmax_state", x, lengths, out, x.ndim - 2)
    return out


softmax_state = Kernel("softmax_state", reference, shape, launch=launch)
