"""What a query returns: an Arrow table, and every form people want it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gpudb.backend import obstacle
from gpudb.errors import DeviceError, InputError, UnsupportedError
from gpudb.types import HostArray

if TYPE_CHECKING:
    import pandas
    import polars

    from gpudb.report import Report

SHOWN_ROWS = 10
SHOWN_CHARACTERS = 40


class Result:
    """Rows and columns, in memory, immutable.

    Parameters
    ----------
    table
        The rows.
    stats
        What producing them took; which fields there are depends on the call.
    tell
        Text of the plan that produced them, and the same as data; called when it is asked for.
    """

    def __init__(
        self,
        table: pa.Table,
        stats: Any = None,
        tell: Callable[[], tuple[str, Report | None]] = lambda: ("", None),
    ) -> None:
        self._table = table
        self.stats = stats
        self._tell = tell

    @property
    def plan_text(self) -> str:
        """Text of the plan that produced them."""
        return self._tell()[0]

    @property
    def report(self) -> Report | None:
        """The same as data, where a model ran."""
        return self._tell()[1]

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._table.column_names)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self._table.num_rows)

    def arrow(self) -> pa.Table:
        """As a ``pyarrow.Table``, without a copy."""
        return self._table

    def pandas(self) -> pandas.DataFrame:
        """As a ``pandas.DataFrame``; vectors become one array per row."""
        try:
            return self._table.to_pandas()
        except ImportError as error:
            raise UnsupportedError("pandas is not installed; pip install pandas") from error

    def polars(self) -> polars.DataFrame:
        """As a ``polars.DataFrame``."""
        try:
            import polars
        except ImportError as error:
            raise UnsupportedError("polars is not installed; pip install polars") from error
        for name in self.columns:
            self._check_single(name)
        frame = polars.from_arrow(self._table)
        assert isinstance(frame, polars.DataFrame)  # from_arrow gives a Series for arrays only
        return frame

    def cudf(self) -> Any:
        """As a ``cudf.DataFrame``, copied to the GPU; vectors become a LIST column.

        Raises
        ------
        DeviceError
            There is no GPU here, or a column is too long for cuDF.
        UnsupportedError
            cuDF is not installed, or has no type for a column.
        """
        for name in self.columns:
            self._check_single(name)
        if reason := obstacle():
            raise DeviceError(
                f"cudf() needs a GPU: {reason}. arrow(), pandas() and polars() work everywhere"
            )
        try:
            from gpudb.backend.cuda.frames import arrow_frame
        except ImportError as error:
            raise UnsupportedError(
                f"cuDF cannot be imported ({error}); pip install 'gpudb-tensor[cu13]' (CUDA 13) or "
                "'gpudb-tensor[cu12]' (CUDA 12)"
            ) from error
        return arrow_frame(self._table)

    def numpy(self, column: str | None = None) -> Any:
        """One column as an array, or all of them as a dict of arrays.

        A column of vectors becomes a matrix ``(rows, width)``; a null vector is a row of NaN.

        Parameters
        ----------
        column
            Name of a column; None for all.
        """
        if column is None:
            return {name: self.numpy(name) for name in self.columns}
        if column not in self.columns:
            raise InputError(f"no column {column!r}; columns are {', '.join(self.columns)}")
        self._check_single(column)
        values = self._table.column(column).combine_chunks()
        if pa.types.is_fixed_size_list(values.type):
            return _matrix(values)
        return values.to_numpy(zero_copy_only=False)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows as tuples of Python values."""
        columns = [column.to_pylist() for column in self._table.columns]
        return list(zip(*columns, strict=True)) if columns else []

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row as a tuple; None when there is none."""
        first = Result(self._table.slice(0, 1)).fetchall()
        return first[0] if first else None

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())

    def __len__(self) -> int:
        return self.rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        head = self._table.slice(0, SHOWN_ROWS)
        cells = [self.columns, *([_short(v) for v in row] for row in Result(head).fetchall())]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*lines, self._footer()])

    def _repr_html_(self) -> str:
        head = Result(self._table.slice(0, SHOWN_ROWS)).fetchall()
        names = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_short(v))}</td>" for v in row) + "</tr>" for row in head
        )
        table = f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
        return f"{table}<p>{escape(self._footer())}</p>"

    def _check_single(self, column: str) -> None:
        if (count := self.columns.count(column)) > 1:
            raise InputError(
                f"{count} columns are called {column!r}; give them different names with AS"
            )

    def _footer(self) -> str:
        more = f", first {SHOWN_ROWS} shown" if self.rows > SHOWN_ROWS else ""
        return f"({self.rows:,} row{'' if self.rows == 1 else 's'}{more})"


def _matrix(values: pa.FixedSizeListArray) -> HostArray:
    width = values.type.list_size
    # flatten() would drop the slots of null rows.
    flat = values.values.slice(values.offset * width, len(values) * width)
    matrix: HostArray = flat.to_numpy(zero_copy_only=False).reshape(len(values), width)
    if values.null_count:
        matrix = np.where(values.is_null().to_numpy(False)[:, None], np.nan, matrix)
    return matrix


def _short(value: object) -> str:
    if isinstance(value, list) and len(value) > 4:
        value = f"[{', '.join(_short(v) for v in value[:3])}, … {len(value)} values]"
    text = "NULL" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())
    limit = max(SHOWN_CHARACTERS, 50)
    return text if len(text) <= limit else text[: limit - 1] + "…"
