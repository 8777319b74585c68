"""Parameters of a CUDA function, and arguments checked and cast to them.

CuPy passes a Python float as a double and a Python int as 64 bits, whatever the function wants, and
compares nothing: what does not fit is silently wrong. So every launch goes through :func:`bind`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gpudb.errors import DeviceError
from gpudb.kernels.launch import CTYPES, Cuda

SCALARS = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "long long": np.int64,
    "index_t": np.int64,
    "bool": np.bool_,
}
"""Type of a parameter in CUDA -> what its argument is cast to."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a ``__global__`` function."""

    name: str
    ctype: str
    """Type, or type of the elements pointed to, macros replaced."""
    is_pointer: bool


@cache
def parameters(function: Cuda) -> tuple[Parameter, ...]:
    """Read the parameters from the source.

    Raises
    ------
    DeviceError
        The source has no such function, or a parameter of a type that nothing can be cast to.
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", function.source, flags=re.DOTALL)
    found = re.search(rf"__global__ void[^;{{]*?\b{function.function}\(([^)]*)\)", text)
    if not found:
        raise DeviceError(f"{function.file}.cu has no __global__ void {function.function}(...)")
    defines = dict(function.defines)
    return tuple(_parameter(function, part, defines) for part in found[1].split(","))


def bind(function: Cuda, args: Sequence[Any]) -> list[Any]:
    """Arguments as they are handed to the driver: arrays as they are, numbers cast.

    Raises
    ------
    DeviceError
        Too many or too few, an array of the wrong dtype, or a number that the type cannot hold.
    """
    wanted = parameters(function)
    if len(args) != len(wanted):
        raise DeviceError(f"{function.function} takes {len(wanted)} arguments, got {len(args)}")
    return [_bound(function, p, value) for p, value in zip(wanted, args, strict=True)]


def _parameter(function: Cuda, text: str, defines: dict[str, str]) -> Parameter:
    words = re.sub(r"\b(const|__restrict__)\b", " ", text.replace("*", " * ")).split()
    name, is_pointer = words[-1], "*" in words
    ctype = " ".join(word for word in words[:-1] if word != "*")
    ctype = defines.get(ctype, ctype)
    ctype = "long long" if ctype == "index_t" else ctype
    if ctype not in (CTYPES.values() if is_pointer else SCALARS):
        raise DeviceError(f"{function.function}: parameter {name} has the unknown type {ctype!r}")
    return Parameter(name, ctype, is_pointer)


def _bound(function: Cuda, parameter: Parameter, value: Any) -> Any:
    where = f"{function.function}: argument {parameter.name}"
    if parameter.is_pointer:
        dtype = getattr(value, "dtype", None)
        if value is None or isinstance(value, np.ndarray) or dtype is None:
            raise DeviceError(f"{where} must be an array on the device, got {type(value).__name__}")
        if CTYPES.get(str(dtype)) != parameter.ctype:
            raise DeviceError(f"{where} has elements of {parameter.ctype}, got {dtype}")
        return value
    if not isinstance(value, (bool, int, float, np.generic)):
        raise DeviceError(f"{where} must be a number, got {type(value).__name__}")
    scalar = SCALARS[parameter.ctype]
    if scalar in (np.int32, np.int64) and int(value) != value:
        raise DeviceError(f"{where} must be a whole number, got {value}")
    if scalar in (np.int32, np.int64):
        limits = np.iinfo(scalar)
        if not limits.min <= int(value) <= limits.max:
            raise DeviceError(f"{where} is {value}, which {parameter.ctype} cannot hold")
        return scalar(int(value))
    return scalar(value)
