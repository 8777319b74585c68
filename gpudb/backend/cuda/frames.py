"""Tables of cuDF for users."""

from __future__ import annotations

from typing import Any

import cudf
import cupy as cp
import pylibcudf as plc

from gpudb.backend.cuda.columns import key_columns, list_columns
from gpudb.types import HostArray


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
