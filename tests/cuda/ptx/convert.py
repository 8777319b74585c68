"""Conversions between types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cuda.ptx import rounding
from tests.cuda.ptx.decode import Decoder, Step, opcode
from tests.cuda.ptx.dtypes import DTYPES, FLOATS
from tests.cuda.ptx.program import Instruction

Function = Callable[[Any], Any]

TO_WHOLE: dict[str, Function] = {
    "rni": np.rint,
    "rzi": np.trunc,
    "rmi": np.floor,
    "rpi": np.ceil,
}
MODIFIERS = frozenset({*TO_WHOLE, "rn", "rm", "rp", "rz", "ftz", "sat"})


@opcode("cvt")
def _cvt(decoder: Decoder, instruction: Instruction) -> Step:
    *modifiers, into, source = instruction.modifiers
    unknown = set(modifiers) - MODIFIERS
    if unknown:
        raise KeyError(", ".join(unknown))
    if into in ("f16x2", "bf16x2"):
        return _pack(decoder, instruction, into, source)
    stages = [*_loading(source, modifiers), *_rounding(into, source, modifiers)]
    if "sat" in modifiers and into in FLOATS:
        if into == "bf16":
            raise KeyError("sat")
        stages.append(rounding.saturate)
    if "ftz" in modifiers and into == "f32":
        stages.append(rounding.flush)
    return decoder.pure(_chain(stages), instruction, source)


def _loading(source: str, modifiers: list[str]) -> list[Function]:
    if source == "bf16":
        return [rounding.widen]
    return [rounding.flush] if source == "f32" and "ftz" in modifiers else []


def _rounding(into: str, source: str, modifiers: list[str]) -> list[Function]:
    from_float, to_float = source in FLOATS, into in FLOATS
    whole = next((TO_WHOLE[m] for m in modifiers if m in TO_WHOLE), None)
    mode = next((m for m in modifiers if m in ("rm", "rp", "rz")), None)
    if from_float and not to_float:
        if whole is None:
            raise KeyError("no rounding")
        return [whole, _to_integer(into, source)]
    if from_float and whole:
        return [whole, *([_narrow(source)] if into == "bf16" else [])]
    if not from_float and not to_float:
        return [_integer_to_integer(into, "sat" in modifiers)]
    if mode:
        return [_directed(mode, into)]
    return [_narrow(source)] if into == "bf16" else [lambda x: x.astype(DTYPES[into])]


def _narrow(source: str) -> Function:
    if source == "f64":
        return rounding.narrow_odd
    return lambda x: rounding.narrow(x.astype(np.float32))


def _to_integer(into: str, source: str) -> Function:
    """Clamped. NaN is 0, or the highest bit alone where a type of 64 bits takes part."""
    dtype = DTYPES[into]
    limits = np.iinfo(dtype)
    wide = source == "f64" or into in ("s64", "u64")
    nan = dtype.type(limits.min if dtype.kind == "i" else 1 << (8 * dtype.itemsize - 1))
    nan = nan if wide else dtype.type(0)

    def convert(x: Any) -> Any:
        x = x.astype(np.float64)
        high, low = x >= 2.0 ** int(limits.max).bit_length(), x < limits.min
        out = np.where(high | low | np.isnan(x), 0, x).astype(dtype)
        out = np.where(high, dtype.type(limits.max), np.where(low, dtype.type(limits.min), out))
        return np.where(np.isnan(x), nan, out)

    return convert


def _integer_to_integer(into: str, sat: bool) -> Function:
    dtype = DTYPES[into]
    if not sat:
        return lambda x: x.astype(dtype)
    limits = np.iinfo(dtype)

    def clamped(x: Any) -> Any:
        own = np.iinfo(x.dtype)
        low, high = max(limits.min, own.min), min(limits.max, own.max)
        return np.clip(x, x.dtype.type(low), x.dtype.type(high)).astype(dtype)

    return clamped


def _directed(mode: str, into: str) -> Function:
    """Rounded towards a side; the source must fit float64 (64-bit numbers may not)."""
    dtype = {"f32": np.float32, "f16": np.float16, "f64": np.float64}[into]

    def convert(x: Any) -> Any:
        wide = x.astype(np.float64)
        error = np.zeros_like(wide)
        if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
            inside = np.abs(wide) < 2.0**63
            error = np.where(inside, (x - wide.astype(x.dtype)).view(np.int64), 0).astype(float)
        return rounding.towards(mode, wide, error, dtype)

    return convert


def _pack(decoder: Decoder, instruction: Instruction, into: str, source: str) -> Step:
    """Two float32 into one register, the first operand above."""
    if source != "f32" or "rn" not in instruction.modifiers or "sat" in instruction.modifiers:
        raise KeyError(instruction.text)
    narrow: Function = rounding.narrow
    if into == "f16x2":
        narrow = lambda x: x.astype(np.float16).view(np.uint16)  # noqa: E731

    def packed(high: Any, low: Any) -> Any:
        high, low = (narrow(x).astype(np.uint32) for x in (high, low))
        return (high << np.uint32(16)) | low

    return decoder.pure(packed, instruction, "f32", "f32")


def _chain(stages: list[Function]) -> Function:
    if len(stages) == 1:
        return stages[0]

    def run(x: Any) -> Any:
        for stage in stages:
            x = stage(x)
        return x

    return run
