"""Functions of the ``cupy`` module that make arrays, join them or compute elementwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.cuda.standin import pools
from tests.cuda.standin.array import gather, host, ndarray, operand, viewed, write
from tests.cuda.standin.memory import Span, contiguous_strides


class Ufunc:
    """An elementwise function: CuPy arrays and numbers in, a CuPy array out."""

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self._numpy = getattr(np, name)
        self.nin = self._numpy.nin

    def __call__(
        self, *args: Any, out: Any = None, casting: str = "same_kind", dtype: Any = None
    ) -> Any:
        if len(args) != self.nin:
            raise TypeError(f"{self.__name__}() takes {self.nin} arrays, got {len(args)}")
        operands = [operand(x) for x in args]
        shape = np.broadcast_shapes(*(getattr(x, "shape", ()) for x in operands))
        none = [np.empty(0, x.dtype) if isinstance(x, ndarray) else x for x in operands]
        result = np.dtype(dtype or self._numpy(*none).dtype)
        if out is None:
            out = ndarray(shape, result)
        elif not isinstance(out, ndarray):
            raise TypeError(f"return arrays must be of cupy.ndarray, got {type(out)}")
        elif not np.can_cast(result, out.dtype, casting):
            raise TypeError(f"output of {result} cannot be cast to {out.dtype} ({casting})")
        write(out, self._numpy, *operands)
        return out


UFUNCS = {
    name: Ufunc(name)
    for name in (
        *("add", "subtract", "multiply", "divide", "true_divide", "power"),
        *("maximum", "minimum", "exp", "log", "tanh", "sqrt", "square"),
        *("abs", "absolute", "negative", "isnan", "isfinite"),
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
    )
}


def empty(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    return ndarray(shape, dtype, order=order)


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    out = ndarray(shape, dtype, order=order)
    out.fill(0)
    return out


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Any:
    out = ndarray(shape, np.asarray(fill_value).dtype if dtype is None else dtype, order=order)
    out.fill(fill_value)
    return out


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False
) -> Any:
    if isinstance(a, ndarray):
        return a.astype(a.dtype if dtype is None else dtype, copy=bool(copy))
    if hasattr(a, "__cuda_array_interface__"):
        return asarray(_borrowed(a), dtype, copy=copy)
    values = np.asarray(a)
    if values.dtype == object:
        raise ValueError("Unsupported dtype object")
    values = np.ascontiguousarray(values, dtype).reshape(values.shape)
    out = ndarray(values.shape, values.dtype)
    out.set(values)
    return out


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> Any:
    return asarray(obj, dtype, copy=copy)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    """CuPy would copy a host array to the device, without a word."""
    x = operand(a).astype(a.dtype if dtype is None else dtype, copy=False)
    return x if x.flags.c_contiguous else x.copy()


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> Any:
    if not isinstance(a, ndarray):
        return np.asarray(a)
    return a.get(stream=stream, order=order, out=out, blocking=blocking)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    values = np.arange(start, dtype=dtype) if stop is None else np.arange(start, stop, step, dtype)
    out = ndarray(values.shape, values.dtype)
    write(out, lambda: values)  # computed on the device: no copy from the host
    return out


def concatenate(
    tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    parts = _arrays(tup, "concatenated")
    shape = list(parts[0].shape)
    shape[axis] = sum(x.shape[axis] for x in parts)
    if out is None:
        out = ndarray(shape, dtype or np.result_type(*(x.dtype for x in parts)))
    write(out, lambda *values: np.concatenate(values, axis), *parts)
    return out


def stack(
    tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    parts = _arrays(tup, "stacked")
    wider = [viewed(x, np.expand_dims(host(x), axis)) for x in parts]
    return concatenate(wider, axis, out, dtype=dtype)


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    if out is not None:
        raise NotImplementedError("take() into an array is not in the stand-in")
    source, rows = operand(a), operand(indices)
    rows = rows if isinstance(rows, ndarray) else asarray(rows)
    return gather(source.ravel() if axis is None else source, rows, axis or 0)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise NotImplementedError("where() of a condition alone is not in the stand-in")
    operands = [operand(v) for v in (condition, x, y)]
    shape = np.broadcast_shapes(*(getattr(v, "shape", ()) for v in operands))
    none = [np.empty(0, v.dtype) if isinstance(v, ndarray) else v for v in operands[1:]]
    out = ndarray(shape, np.result_type(*none))
    write(out, np.where, *operands)
    return out


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    source = operand(a)
    like = np.cumsum(np.empty(0, source.dtype), dtype=dtype).dtype
    if out is None:
        out = ndarray(source.shape if axis is not None else (source.size,), like)
    write(out, lambda x: np.cumsum(x, axis, dtype), source)
    return out


def _borrowed(owner: Any) -> Any:
    """An array over memory of an object with ``__cuda_array_interface__``, which it keeps alive."""
    cai = owner.__cuda_array_interface__
    shape, dtype, (address, _) = cai["shape"], np.dtype(cai["typestr"]), cai["data"]
    strides = cai.get("strides") or contiguous_strides(shape, dtype.itemsize)
    if 0 in shape:
        return ndarray(shape, dtype)
    low, high = Span(address, shape, dtype, strides).bounds
    mem = pools.UnownedMemory(low, high - low, owner)
    return ndarray(shape, dtype, pools.MemoryPointer(mem, address - low), strides)


def _arrays(parts: Sequence[Any], what: str) -> list[Any]:
    for x in parts:
        if not isinstance(x, ndarray):
            raise TypeError(f"Only cupy arrays can be {what}, got {type(x)}")
    if not parts:
        raise ValueError(f"need at least one array to be {what}")
    return list(parts)
