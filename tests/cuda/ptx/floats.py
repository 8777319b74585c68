"""Arithmetic on floats: one function per opcode and type, wrapped in the modifiers' roundings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cuda.ptx import rounding
from tests.cuda.ptx.decode import Decoder, Step, opcode
from tests.cuda.ptx.dtypes import FLOATS
from tests.cuda.ptx.program import Instruction

Function = Callable[..., Any]

DIRECTIONS = frozenset({"rm", "rp", "rz"})


def _in_float64(function: Function) -> Function:
    """Worked out in float64 and rounded once: the approximate functions, at their best."""
    return lambda x: function(np.asarray(x, np.float64)).astype(x.dtype)


def _quiet(function: Function) -> Function:
    """Minimum or maximum where -0 is less than +0."""
    take_min = function in (np.fmin, np.minimum)

    def ordered(a: Any, b: Any) -> Any:
        result = function(a, b)
        zero = (result == 0) & (a == b)
        if zero.any():
            sign = np.logical_or if take_min else np.logical_and
            negative = sign(np.signbit(a), np.signbit(b))
            result = np.where(zero, np.where(negative, -result.dtype.type(0), 0), result)
        return result

    return ordered


ONE: dict[str, Function] = {
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "rcp": lambda x: x.dtype.type(1) / x,
    "rsqrt": _in_float64(lambda x: 1 / np.sqrt(x)),
    "ex2": _in_float64(np.exp2),
    "lg2": _in_float64(np.log2),
    "sin": _in_float64(np.sin),
    "cos": _in_float64(np.cos),
    "tanh": _in_float64(np.tanh),
}
TWO: dict[str, Function] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "min": _quiet(np.fmin),
    "max": _quiet(np.fmax),
}
FMA: dict[str, Function] = {
    "f16": rounding.fma16,
    "f16x2": rounding.fma16,
    "bf16": rounding.fma_bf16,
    "bf16x2": rounding.fma_bf16,
    "f32": rounding.fma32,
    "f64": rounding.fma64,
}
NAN_WINS: dict[str, Function] = {"min": _quiet(np.minimum), "max": _quiet(np.maximum)}
PLAIN = frozenset({"neg", "abs", "min", "max"})
"""They round nothing."""


def float_step(decoder: Decoder, instruction: Instruction) -> Step:
    """The step of an operation on floats.

    Raises
    ------
    KeyError
        Unknown operation, type or modifier.
    """
    name, kind = instruction.opcode, instruction.type
    _check_modifiers(instruction)
    function = _function(instruction)
    if kind in ("bf16", "bf16x2") and name != "fma":
        function = _through_float32(function, name)
    if instruction.has("ftz") and kind == "f32":
        function = _flushed(function, _denormals(decoder, instruction))
    if instruction.has("sat"):
        function = _saturated(function)
    if instruction.has("relu"):
        raise KeyError("relu")
    types = [kind] * (len(instruction.operands) - 1)
    if kind in ("f16x2", "bf16x2"):
        function = _pairwise(function, np.float16 if kind == "f16x2" else np.uint16)
    return decoder.pure(function, instruction, *types)


def _check_modifiers(instruction: Instruction) -> None:
    known = {"rn", "rm", "rp", "rz", "ftz", "sat", "approx", "full", "NaN", "relu"} | FLOATS
    for modifier in instruction.modifiers:
        if modifier not in known:
            raise KeyError(modifier)


def _function(instruction: Instruction) -> Function:
    name, kind = instruction.opcode, instruction.type
    mode = next((m for m in instruction.modifiers if m in DIRECTIONS), None)
    if mode:
        return _directed(name, kind, mode)
    if name in ("fma", "mad"):
        return FMA[kind]
    if instruction.has("NaN"):
        return NAN_WINS[name]
    return ONE[name] if name in ONE else TWO[name]


def _directed(name: str, kind: str, mode: str) -> Function:
    """Rounded towards a side. In float32 all but sums of very different numbers is exact."""
    dtype = {"f32": np.float32, "f64": np.float64}[kind]

    def fma(a: Any, b: Any, c: Any) -> Any:
        product = np.multiply(a, b, dtype=np.float64)
        return rounding.towards(mode, *rounding.two_sum(product, np.float64(c)), dtype)

    def add(a: Any, b: Any) -> Any:
        return rounding.towards(mode, *rounding.two_sum(np.float64(a), np.float64(b)), dtype)

    def sub(a: Any, b: Any) -> Any:
        return add(a, -b)

    def mul(a: Any, b: Any) -> Any:
        return rounding.towards(mode, *rounding.two_product(np.float64(a), np.float64(b)), dtype)

    if name == "fma" and kind == "f64":
        raise KeyError(mode)
    functions: dict[str, Function] = {"fma": fma, "add": add, "sub": sub, "mul": mul}
    return functions[name]


def _denormals(decoder: Decoder, instruction: Instruction) -> tuple[bool, ...]:
    """Which operands may be denormal and must be flushed."""
    return tuple(operand not in decoder.flushed for operand in instruction.operands[1:])


def _flushed(function: Function, dirty: tuple[bool, ...]) -> Function:
    """Denormals flushed: the operands that may be some, and the result."""
    flush = rounding.flush
    if not any(dirty):
        return lambda *operands: flush(function(*operands))

    def run(*operands: Any) -> Any:
        inputs = [flush(x) if d else x for x, d in zip(operands, dirty, strict=True)]
        return flush(function(*inputs))

    return run


def _saturated(function: Function) -> Function:
    return lambda *operands: rounding.saturate(function(*operands))


def _through_float32(function: Function, name: str) -> Function:
    """bfloat16 worked out in float32; neg and abs only change the sign bit."""
    if name == "neg":
        return lambda x: x ^ np.uint16(0x8000)
    if name == "abs":
        return lambda x: x & np.uint16(0x7FFF)
    return lambda *operands: rounding.narrow(function(*map(rounding.widen, operands)))


def _pairwise(function: Function, dtype: Any) -> Function:
    """Two halves of 16 bits in one register."""

    def run(*operands: Any) -> Any:
        n = max(np.size(x) for x in operands)
        halves = [np.ascontiguousarray(np.broadcast_to(x, n)).view(dtype) for x in operands]
        return function(*halves).view(np.uint32)

    return run


@opcode("fma", "sqrt", "rcp", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh")
def _only_floats(decoder: Decoder, instruction: Instruction) -> Step:
    return float_step(decoder, instruction)


@opcode("copysign")
def _copysign(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    return decoder.pure(lambda sign, x: np.copysign(x, sign), instruction, kind, kind)


@opcode("testp")
def _testp(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    tiny = {"f32": np.finfo(np.float32).tiny, "f64": np.finfo(np.float64).tiny}[kind]
    tests: dict[str, Function] = {
        "finite": np.isfinite,
        "infinite": np.isinf,
        "number": lambda x: ~np.isnan(x),
        "notanumber": np.isnan,
        "normal": lambda x: np.isfinite(x) & (np.abs(x) >= tiny),
        "subnormal": lambda x: (np.abs(x) < tiny) & (x != 0),
    }
    return decoder.pure(tests[instruction.modifiers[0]], instruction, kind)
