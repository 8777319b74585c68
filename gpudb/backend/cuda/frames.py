"""Tables of cuDF for users."""

from __future__ import annotations

from typing import Any

import cudf
import cupy as cp
import pyarrow as pa
import pylibcudf as plc

from gpudb.backend.cuda.columns import MAX_ELEMENTS, key_columns, list_columns
from gpudb.errors import DeviceError, UnsupportedError
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


def arrow_frame(table: pa.Table) -> cudf.DataFrame:
    """An Arrow table on the GPU; arrays of a fixed length, which cuDF has not, become lists.

    Raises
    ------
    DeviceError
        The vectors of a column have more elements together than cuDF takes.
    UnsupportedError
        cuDF has no type for a column.
    """
    for number, field in enumerate(table.schema):
        if not pa.types.is_fixed_size_list(field.type):
            continue
        elements = table.num_rows * field.type.list_size
        if elements > MAX_ELEMENTS:
            raise DeviceError(
                f"column {field.name!r} has {elements:,} elements, cuDF takes {MAX_ELEMENTS:,} "
                "in a column; ask for fewer rows at once"
            )
        lists = table.column(number).cast(pa.list_(field.type.value_type))
        table = table.set_column(number, field.name, lists)
    try:
        return cudf.DataFrame.from_arrow(table)
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        types = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise UnsupportedError(
            f"cuDF does not take the columns {types} ({error}); cast in SQL what it has no type for"
        ) from error
