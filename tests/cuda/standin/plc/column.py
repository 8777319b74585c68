"""``pylibcudf.Column``, ``Table`` and ``gpumemoryview``: views of device memory, nothing copied."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.cuda.standin import memory, order, streams
from tests.cuda.standin.checked import like
from tests.cuda.standin.memory import Span, contiguous_strides
from tests.cuda.standin.plc.types import MOST_ROWS, DataType, TypeId, dtype_of, type_of
from tests.cuda.standin.rmm import DeviceBuffer

INT32 = DataType(TypeId.INT32)


@like("pylibcudf.gpumemoryview.gpumemoryview")
class gpumemoryview:
    """Memory of an object with ``__cuda_array_interface__``, which it keeps alive."""

    def __init__(self, data: Any) -> None:
        if not hasattr(data, "__cuda_array_interface__"):
            raise ValueError(
                "gpumemoryview must be constructed from an object supporting the CUDA array "
                "interface"
            )
        self._cai = data.__cuda_array_interface__
        self._obj = data
        dtype = np.dtype(self._cai["typestr"])
        type_of(dtype)
        self._nbytes = math.prod(self._cai["shape"]) * dtype.itemsize

    @property
    def obj(self) -> Any:
        return self._obj

    @property
    def cai(self) -> Any:
        return self._cai

    @property
    def ptr(self) -> int:
        return int(self._cai["data"][0])

    @property
    def nbytes(self) -> int:
        return self._nbytes

    @property
    def size(self) -> int:
        return self._nbytes

    @property
    def __cuda_array_interface__(self) -> Any:
        return self._cai

    def __len__(self) -> int:
        return int(self._cai["shape"][0])


class ByteView:
    """A buffer as ``__cuda_array_interface__``: bytes, as those that libcudf returns."""

    def __init__(self, buffer: DeviceBuffer) -> None:
        self._buffer = buffer
        self.__cuda_array_interface__ = {
            "data": (buffer.ptr, False),
            "shape": (buffer.size,),
            "strides": None,
            "typestr": "|u1",
            "version": 3,
        }


@like("pylibcudf.column.Column")
class Column:
    def __init__(
        self,
        data_type: DataType,
        size: int,
        data: Any,
        mask: Any,
        null_count: int,
        offset: int,
        children: Iterable[Any],
        validate: bool = True,
    ) -> None:
        self._children = list(children)
        if not isinstance(data_type, DataType):
            raise TypeError(f"data_type must be a DataType, got {type(data_type).__name__}")
        if not all(isinstance(c, Column) for c in self._children):
            raise ValueError("All children must be pylibcudf Column objects")
        if null_count and mask is None:
            raise ValueError("a column with nulls has a mask")
        for n in (size, offset):
            if not 0 <= n <= MOST_ROWS:
                raise OverflowError(f"{n} does not fit into size_type")
        if data is not None and not (hasattr(data, "ptr") and hasattr(data, "size")):
            raise TypeError(f"data must have .ptr and .size, got {type(data).__name__}")
        self._type, self._size, self._data, self._offset = data_type, size, data, offset
        self._mask, self._null_count = mask, null_count
        self._check_layout()

    def _check_layout(self) -> None:
        """What libcudf believes without a look, and then reads past the end."""
        if self._type.id() is TypeId.LIST:
            if self._data is not None or len(self._children) != 2:
                raise ValueError("a list column has two children, offsets and elements, no data")
            offsets = self._children[0]
            if offsets.type() != INT32 or offsets.size() < self._offset + self._size + 1:
                raise ValueError("offsets of a list column are int32, one more than rows")
            return
        needed = (self._offset + self._size) * dtype_of(self._type).itemsize
        if self._children or (0 if self._data is None else self._data.size) < needed:
            raise ValueError(f"{self._size} rows of {self._type} need {needed} bytes of data")

    def type(self) -> DataType:
        return self._type

    def size(self) -> int:
        return self._size

    def offset(self) -> int:
        return self._offset

    def null_count(self) -> int:
        return self._null_count

    def null_mask(self) -> Any:
        return self._mask

    def data(self) -> Any:
        return self._data

    def child(self, index: int) -> Any:
        return self._children[index]

    def children(self) -> list[Any]:
        return list(self._children)

    def num_children(self) -> int:
        return len(self._children)

    def list_view(self) -> Any:
        return ListsColumnView(self)

    @classmethod
    def from_cuda_array_interface(cls, obj: Any, stream: Any = None) -> Any:
        """A list column of as many levels as there are axes after the first. No copy."""
        if not hasattr(obj, "__cuda_array_interface__"):
            raise TypeError("Object does not implement __cuda_array_interface__")
        cai = obj.__cuda_array_interface__
        shape, dtype = cai["shape"], np.dtype(cai["typestr"])
        data_type = type_of(dtype)
        if not shape:
            raise ValueError("shape must be a non-empty tuple")
        if cai.get("strides") not in (None, contiguous_strides(shape, dtype.itemsize)):
            raise ValueError("Data must be C-contiguous")
        if math.prod(shape) > MOST_ROWS:
            raise ValueError("Flat size exceeds size_type limit")
        column = Column(data_type, math.prod(shape), gpumemoryview(obj), None, 0, 0, [])
        for axis in range(len(shape) - 1, 0, -1):
            rows = math.prod(shape[:axis])
            offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(shape[axis])
            with on_stream(stream):
                children = [from_host(offsets), column]
            column = Column(DataType(TypeId.LIST), rows, None, None, 0, 0, children)
        return column


@like("pylibcudf.column.ListsColumnView")
class ListsColumnView:
    def __init__(self, column: Any) -> None:
        if column.type().id() is not TypeId.LIST:
            raise TypeError("Column is not a list type")
        self._column = column

    def offsets(self) -> Any:
        """Of the whole column: a slice of one starts at ``column.offset()``."""
        return self._column.child(0)

    def child(self) -> Any:
        return self._column.child(1)

    def get_sliced_child(self, stream: Any = None) -> Any:
        with on_stream(stream):
            first, last = (int(n) for n in offsets_of(self._column)[[0, -1]])
        whole = self.child()
        return Column(
            *(whole.type(), last - first, whole.data(), None, 0, whole.offset() + first),
            whole.children(),
        )


@like("pylibcudf.table.Table")
class Table:
    def __init__(self, columns: Sequence[Any], num_rows: int | None = None) -> None:
        self._columns = tuple(columns)
        if not all(isinstance(c, Column) for c in self._columns):
            raise ValueError("All columns must be pylibcudf Column objects")
        if len({c.size() for c in self._columns}) > 1:
            raise ValueError("columns of a table have the same number of rows")

    def columns(self) -> tuple[Any, ...]:
        return self._columns

    def num_columns(self) -> int:
        return len(self._columns)

    def num_rows(self) -> int:
        return self._columns[0].size() if self._columns else 0

    def shape(self) -> tuple[int, int]:
        return self.num_rows(), self.num_columns()


@contextmanager
def on_stream(stream: Any) -> Iterator[None]:
    """Libcudf works on the default stream unless given one, whatever CuPy's current stream is."""
    streams.forbid_capture()
    target = streams.Stream.null if stream is None else stream
    with order.current.running(target):
        yield


def from_host(values: Any) -> Column:
    """A column of its own, in memory of the current resource: what libcudf returns."""
    flat = np.ascontiguousarray(values)
    buffer = DeviceBuffer(size=flat.nbytes)
    if flat.size:
        span = Span(buffer.ptr, flat.shape, flat.dtype, flat.strides)
        order.writes(span)
        memory.device.view(span)[...] = flat
    return Column(type_of(flat.dtype), flat.size, gpumemoryview(ByteView(buffer)), None, 0, 0, [])


def values_of(column: Any) -> Any:
    """Elements of a fixed-width column, as NumPy sees them."""
    if column.null_count():
        raise NotImplementedError("computing with nulls is not in the stand-in")
    dtype = dtype_of(column.type())
    if not column.size():
        return np.empty(0, dtype)
    address = column.data().ptr + column.offset() * dtype.itemsize
    span = Span(address, (column.size(),), dtype, (dtype.itemsize,))
    order.reads(span)
    return memory.device.view(span)


def offsets_of(column: Any) -> Any:
    """Offsets of a list column's rows: one more than rows."""
    start = column.offset()
    return values_of(column.child(0))[start : start + column.size() + 1]
