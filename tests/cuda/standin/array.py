"""``cupy.ndarray``: NumPy over device memory, and no way to mix the two."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cuda.standin import memory, pinned, pools, streams
from tests.cuda.standin.checked import like
from tests.cuda.standin.memory import Span, contiguous_strides
from tests.cuda.standin.order import reads, writes

IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a "
    "NumPy array explicitly."
)
KDLCUDA = 2


@like("cupy.ndarray")
class ndarray:
    """An array on the device. Made by :func:`new`, :func:`viewed`, or as CuPy's class is."""

    __slots__ = ("__weakref__", "_data", "_dtype", "_shape", "_strides")
    __array_ufunc__ = None  # np.float32(2) * x asks this class
    __array_priority__ = 100

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: Any = None,
        strides: Any = None,
        order: str = "C",
    ) -> None:
        if order != "C":
            raise NotImplementedError("only C order is in the stand-in")
        self._shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
        self._dtype = np.dtype(dtype)
        self._strides = tuple(strides or contiguous_strides(self._shape, self._dtype.itemsize))
        self._data = pools.alloc(self.nbytes) if memptr is None else memptr

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def strides(self) -> tuple[int, ...]:
        return self._strides

    @property
    def data(self) -> Any:
        return self._data

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def flags(self) -> Any:
        return host(self).flags

    @property
    def device(self) -> Any:
        from tests.cuda.standin.runtime import Device

        return Device(0)

    @property
    def T(self) -> Any:
        return viewed(self, host(self).T)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        contiguous = self.strides == contiguous_strides(self.shape, self.itemsize)
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "stream": streams.get_current_stream().ptr or 1,
            "version": 3,
            "strides": None if contiguous else self.strides,
            "data": (self.data.ptr, False),
        }

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(IMPLICIT)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (KDLCUDA, 0)

    def __dlpack__(self, **kwargs: Any) -> Any:
        # Host memory called kDLCUDA would crash whoever takes it; called kDLCPU, it would let
        # NumPy take what it cannot take from a real device.
        raise BufferError("the stand-in cannot hand its memory over as memory of a GPU")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __repr__(self) -> str:
        return f"cupy.ndarray{self.shape} of {self.dtype}"

    def __getitem__(self, key: Any) -> Any:
        _refuse_host(key)
        if isinstance(key, ndarray):
            return gather(self, key, 0)
        if not all(map(_is_basic, key if isinstance(key, tuple) else (key,))):
            raise NotImplementedError(f"indexing with {key!r} is not in the stand-in")
        return viewed(self, host(self)[_with_ellipsis(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        target = self[key]
        if isinstance(key, ndarray):
            raise NotImplementedError("assigning to chosen rows is not in the stand-in")
        write(target, lambda x: x, operand(value))

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> Any:
        target = stream or streams.get_current_stream()
        if out is None:
            out = np.empty(self.shape, self.dtype)
        elif out.shape != self.shape or out.dtype != self.dtype:
            raise ValueError("out has another shape or dtype than the array")
        if blocking or not pinned.is_pinned(out.ctypes.data, out.nbytes):
            streams.forbid_capture(target)
        source = span(self)

        def copy() -> None:
            reads(source)
            out[...] = memory.device.view(source)

        streams.submit(copy, target)
        if blocking:
            target.synchronize()
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError("the array has another shape or dtype")
        target = stream or streams.get_current_stream()
        if not pinned.is_pinned(arr.ctypes.data, arr.nbytes):
            streams.forbid_capture(target)
        place = span(self)

        def copy() -> None:
            writes(place)
            memory.device.view(place)[...] = arr

        streams.submit(copy, target)

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def view(self, dtype: Any = None, type: Any = None) -> Any:
        return viewed(self, host(self).view(self.dtype if dtype is None else dtype))

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> Any:
        wanted = shape[0] if len(shape) == 1 else shape
        try:
            return viewed(self, host(self).reshape(wanted, copy=False))
        except ValueError:
            compact = self.copy()  # as CuPy: a copy where no view can be made
            return viewed(compact, host(compact).reshape(wanted, copy=False))

    def ravel(self, order: str = "C") -> Any:
        return self.reshape(-1)

    def transpose(self, *axes: Any) -> Any:
        return viewed(self, host(self).transpose(*axes))

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        return viewed(self, host(self).swapaxes(axis1, axis2))

    def squeeze(self, axis: Any = None) -> Any:
        return viewed(self, host(self).squeeze(axis))

    def copy(self, order: str = "C") -> Any:
        return self.astype(self.dtype)

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: Any = None,
        subok: Any = None,
        copy: bool = True,
    ) -> Any:
        if not copy and self.dtype == dtype:
            return self
        out = ndarray(self.shape, dtype)
        write(out, lambda x: x, self)
        return out

    def fill(self, value: Any) -> None:
        write(self, lambda x: x, operand(value))


def span(x: Any) -> Span:
    """Where the elements of an array on the device are."""
    return Span(x.data.ptr, x.shape, x.dtype, x.strides)


def host(x: Any) -> Any:
    """The same memory as a NumPy array: for shapes and strides, and for work that is submitted."""
    return memory.device.view(span(x))


def viewed(owner: Any, view: Any) -> Any:
    """A view of NumPy's over an array's memory -> an array on the device."""
    address = view.ctypes.data if view.size else owner.data.ptr
    place = pools.MemoryPointer(owner.data.mem, address - owner.data.mem.ptr)
    return ndarray(view.shape, view.dtype, place, view.strides)


def operand(value: Any) -> Any:
    """What CuPy computes with: its own arrays and numbers; NumPy's arrays are refused."""
    if isinstance(value, (ndarray, bool, int, float, np.generic)):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def write(out: Any, function: Callable[..., Any], *operands: Any) -> None:
    """Submit ``out[...] = function(*operands)``, by address: arrays may be gone by then."""
    sources = [span(x) if isinstance(x, ndarray) else x for x in operands]
    target = span(out)

    def work() -> None:
        reads(*(s for s in sources if isinstance(s, Span)))
        writes(target)
        values = [memory.device.view(s) if isinstance(s, Span) else s for s in sources]
        with np.errstate(all="ignore"):
            memory.device.view(target)[...] = function(*values)

    memory.device.view(target)  # fails here, not when a graph is launched
    for source in sources:
        if isinstance(source, Span):
            memory.device.view(source)
    streams.submit(work)


def gather(source: Any, rows: Any, axis: int) -> Any:
    """Chosen rows. CuPy wraps numbers that are out of range, without a word: an error here."""
    if rows.dtype.kind not in "iu":
        raise NotImplementedError(f"choosing rows by {rows.dtype} is not in the stand-in")
    out = ndarray((*source.shape[:axis], *rows.shape, *source.shape[axis + 1 :]), source.dtype)
    write(out, lambda x, at: np.take(x, at, axis), source, rows)
    return out


def _is_basic(key: Any) -> bool:
    whole = isinstance(key, (int, np.integer)) and not isinstance(key, bool)
    return key is None or key is Ellipsis or whole or isinstance(key, slice)


def _with_ellipsis(key: Any) -> Any:
    """The key with an ellipsis: NumPy gives a number where every axis has an index, not a view."""
    parts = key if isinstance(key, tuple) else (key,)
    return parts if Ellipsis in parts else (*parts, Ellipsis)


def _refuse_host(key: Any) -> None:
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, (np.ndarray, list)):
            raise TypeError(f"Unsupported type {type(part)}")
