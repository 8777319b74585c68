"""Blocks as cuDF tables: results for users, and Parquet in and out."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from os import PathLike, fspath
from typing import Any

import cudf
import cupy as cp
import numpy as np
import pylibcudf as plc

from gpudb.backend.cuda.columns import (
    column_view,
    key_columns,
    list_columns,
    list_view,
)
from gpudb.errors import DeviceError
from gpudb.types import HostArray, TensorSchema, storage_dtype

ELEMENTS_PER_ROW_GROUP = 1 << 27
"""cuDF's Parquet writer takes a million rows at a time unless told otherwise; of blocks, that is
more than it can address."""
ROWS_PER_GROUP = 1_000_000
"""The writer's own limit."""


def block_frames(keys: HostArray, blocks: Any) -> list[cudf.DataFrame]:
    """Key columns ``i0``, ``i1``, … and ``block``; several frames where one column is too short.

    Parameters
    ----------
    keys
        ``(n, ndim)`` on the host.
    blocks
        ``(n, *block)`` on the device; the frames share its memory.
    """
    names = [f"i{axis}" for axis in range(keys.shape[1])] + ["block"]
    frames = []
    start = 0
    for column in list_columns(cp.ascontiguousarray(blocks)):
        part = keys[start : start + column.size()]
        table = plc.Table([*key_columns(part), column])
        frames.append(cudf.DataFrame.from_pylibcudf(table, {"columns": names}))
        start += column.size()
    return frames


def write_parquet(path: str | PathLike[str], keys: HostArray, blocks: Any) -> list[str]:
    """Write blocks as Parquet; the paths, numbered where cuDF needs more than one file."""
    rows = max(1, min(ELEMENTS_PER_ROW_GROUP // max(1, prod(blocks.shape[1:])), ROWS_PER_GROUP))
    frames = block_frames(keys, blocks)
    paths = [fspath(path)]
    if len(frames) > 1:
        stem = fspath(path).removesuffix(".parquet")
        paths = [f"{stem}-{number:04d}.parquet" for number in range(len(frames))]
    for frame, name in zip(frames, paths, strict=True):
        frame.to_parquet(name, row_group_size_rows=rows, index=False)
    return paths


def read_parquet(paths: Sequence[str], schema: TensorSchema) -> tuple[HostArray, Any]:
    """Keys on the host and blocks on the device, as :func:`write_parquet` wrote them.

    Raises
    ------
    DeviceError
        The files have other columns, or blocks of another size.
    """
    names = [f"i{axis}" for axis in range(schema.ndim)] + ["block"]
    keys, blocks = [], []
    for path in paths:
        frame = cudf.read_parquet(path)
        if list(frame.columns) != names:
            raise DeviceError(f"{path} has columns {list(frame.columns)}, expected {names}")
        table, _ = frame.to_pylibcudf()
        *axes, block = table.columns()
        keys.append(np.stack([cp.asnumpy(column_view(c, "int32")) for c in axes], axis=1))
        dtype = str(storage_dtype(schema.dtype))
        blocks.append(list_view(block, schema.block_numbers, dtype))
    return np.concatenate(keys), cp.concatenate(blocks)
