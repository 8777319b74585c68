"""``layer_norm(sum of table[rows])``: k tables ``(r, w)``, k columns ``(n,)`` -> ``(n, w)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpudb.errors import DeviceError
from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, row_grid, row_numbers, strided_rows
from gpudb.kernels.layer_norm import normalize_rows
from gpudb.kernels.rows import row_pieces

MAX_TABLES = 4
"""Tables that the CUDA function adds; a text encoder has two or three."""


def reference(tables: Sequence[Any], rows: Sequence[Any], gamma: Any, beta: Any, eps: float) -> Any:
    """One pass over each output row."""
    out = np.empty(shape(tables, rows, gamma, beta, eps), np.result_type(*tables))
    for piece in row_pieces(out):
        part = out[piece]
        np.take(tables[0], rows[0][piece], axis=0, out=part)
        for table, row in zip(tables[1:], rows[1:], strict=True):
            part += table[row[piece]]
        normalize_rows(part, gamma, beta, eps)
    return out


def shape(
    tables: Sequence[Any], rows: Sequence[Any], gamma: Any, beta: Any, eps: float
) -> tuple[int, ...]:
    """Shape of the result."""
    return (rows[0].shape[0], tables[0].shape[1])


def launch(
    device: Device,
    tables: Sequence[Any],
    rows: Sequence[Any],
    gamma: Any,
    beta: Any,
    eps: float,
) -> Any:
    """One block per row of the result."""
    if len(tables) > MAX_TABLES:
        message = f"adds {MAX_TABLES} tables at most, got {len(tables)}"
        raise DeviceError(f"embedding_layer_norm {message}")
    gamma, beta = device.contiguous(gamma), device.contiguous(beta)
    unused = MAX_TABLES - len(tables)  # places that repeat the first table, and are not looked at
    given = [strided_rows(device, table) for table in tables]
    given += given[:1] * unused
    numbers = [row_numbers(device, column) for column in rows]
    numbers += numbers[:1] * unused
    count, width = shape(tables, rows, gamma, beta, eps)
    out = device.empty((count, width), gamma.dtype)
    types = {f"I{place}": column.dtype for place, column in enumerate(numbers)}
    grid = row_grid(device, count if width else 0, width, gamma.dtype.itemsize)
    types |= grid.defines
    function = cuda("embedding_layer_norm", T=gamma.dtype, K=len(tables), **types)
    arrays = (*(x for x, _ in given), *(stride for _, stride in given), *numbers, gamma, beta, out)
    args = (*arrays, count, width, eps, grid.kept)
    device.launch(function, grid.blocks, grid.threads, args, grid.shared)
    return out


embedding_layer_norm = Kernel("embedding_layer_norm", reference, shape, launch=launch)
