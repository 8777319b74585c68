"""Moves, choices, comparisons and address conversions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cuda.ptx import rounding
from tests.cuda.ptx.decode import Decoder, Registers, Step, names_in, opcode
from tests.cuda.ptx.dtypes import DTYPES, recast
from tests.cuda.ptx.memory import LOCAL_WINDOW, SHARED_WINDOW
from tests.cuda.ptx.program import Instruction

Function = Callable[..., Any]


def _both(a: Any, b: Any) -> Any:
    """Neither is NaN."""
    return (a == a) & (b == b)


COMPARISONS: dict[str, Function] = {
    "eq": np.equal,
    "ne": lambda a, b: (a != b) & _both(a, b) if a.dtype.kind == "f" else a != b,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
    "equ": lambda a, b: (a == b) | ~_both(a, b),
    "neu": np.not_equal,
    "ltu": lambda a, b: ~(a >= b),
    "leu": lambda a, b: ~(a > b),
    "gtu": lambda a, b: ~(a <= b),
    "geu": lambda a, b: ~(a < b),
    "num": _both,
    "nan": lambda a, b: ~_both(a, b),
}
LOGIC: dict[str, Function] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


@opcode("mov")
def _mov(decoder: Decoder, instruction: Instruction) -> Step:
    into, source = instruction.operands
    kind = instruction.type
    if source.startswith("{"):
        return _packed(decoder, into, names_in(source), kind)
    if into.startswith("{"):
        return _unpacked(decoder, names_in(into), source, kind)
    number, dtype = decoder.result(into)
    reader = decoder.read(source, kind)
    if decoder.is_register(source):
        return _copied(reader, number, dtype)
    value = recast(reader({}), dtype)

    def constant(registers: Registers, lanes: Any) -> None:
        registers[number] = np.full(lanes.n, value)

    return constant


def _copied(reader: Callable[[Registers], Any], number: int, dtype: Any) -> Step:
    def copied(registers: Registers, lanes: Any) -> None:
        registers[number] = recast(reader(registers), dtype).copy()

    return copied


def _packed(decoder: Decoder, into: str, parts: list[str], kind: str) -> Step:
    """Several registers into one, the first one lowest."""
    part = f"u{8 * DTYPES[kind].itemsize // len(parts)}"
    readers = [decoder.array(x, part) for x in parts]
    number, dtype = decoder.result(into)

    def step(registers: Registers, lanes: Any) -> None:
        columns = [read(registers, lanes) for read in readers]
        registers[number] = np.stack(columns, axis=1).view(dtype).ravel()

    return step


def _unpacked(decoder: Decoder, parts: list[str], source: str, kind: str) -> Step:
    """One register into several; ``_`` is dropped."""
    reader = decoder.array(source, f"u{8 * DTYPES[kind].itemsize}")
    part = DTYPES[f"u{8 * DTYPES[kind].itemsize // len(parts)}"]
    places = [(i, *decoder.result(x)) for i, x in enumerate(parts) if x != "_"]

    def step(registers: Registers, lanes: Any) -> None:
        columns = reader(registers, lanes).view(part).reshape(-1, len(parts))
        for place, number, dtype in places:
            registers[number] = recast(columns[:, place].copy(), dtype)

    return step


@opcode("setp", "set")
def _setp(decoder: Decoder, instruction: Instruction) -> Step:
    """``compare``, joined with a predicate where the instruction says how."""
    is_set = instruction.opcode == "set"
    kind = instruction.type
    words = [m for m in instruction.modifiers[: -2 if is_set else -1] if m != "ftz"]
    compare: Function = COMPARISONS[words[0]]
    if kind == "bf16":
        compare = _widened(compare)
    elif kind in ("f16x2", "bf16x2"):
        raise KeyError(kind)
    if instruction.has("ftz") and kind == "f32":
        compare = _flushed(compare, decoder, instruction)
    types = [kind, kind]
    if len(words) == 2:
        join, plain = LOGIC[words[1]], compare
        compare = lambda a, b, c: join(plain(a, b), c)  # noqa: E731
        types.append("pred")
    if is_set:
        compare = _as_number(compare, instruction.modifiers[-2])
    if "|" in instruction.operands[0]:
        return _two_predicates(decoder, instruction, compare, types)
    return decoder.pure(compare, instruction, *types)


def _widened(compare: Function) -> Function:
    return lambda a, b: compare(rounding.widen(a), rounding.widen(b))


def _flushed(compare: Function, decoder: Decoder, instruction: Instruction) -> Function:
    dirty = [x not in decoder.flushed for x in instruction.operands[1:3]]
    if not any(dirty):
        return compare

    def run(a: Any, b: Any) -> Any:
        a = rounding.flush(a) if dirty[0] else a
        return compare(a, rounding.flush(b) if dirty[1] else b)

    return run


def _as_number(compare: Function, kind: str) -> Function:
    """1.0 as a float, all bits as a whole number."""
    yes = np.float32(1) if kind == "f32" else DTYPES[kind].type(-1 if kind[0] == "s" else 2**32 - 1)
    return lambda *operands: np.where(compare(*operands), yes, yes.dtype.type(0))


def _two_predicates(
    decoder: Decoder, instruction: Instruction, compare: Function, types: list[str]
) -> Step:
    """The result and its opposite."""
    first, second = (decoder.result(x)[0] for x in instruction.operands[0].split("|"))
    sources = zip(instruction.operands[1:], types, strict=True)
    readers = [decoder.read(operand, kind) for operand, kind in sources]

    def step(registers: Registers, lanes: Any) -> None:
        result = compare(*(read(registers) for read in readers))
        registers[first], registers[second] = result, ~result

    return step


@opcode("selp")
def _selp(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    return decoder.pure(lambda a, b, p: np.where(p, a, b), instruction, kind, kind, "pred")


@opcode("slct")
def _slct(decoder: Decoder, instruction: Instruction) -> Step:
    kind, test = instruction.modifiers[-2:]
    return decoder.pure(lambda a, b, c: np.where(c >= 0, a, b), instruction, kind, kind, test)


@opcode("cvta")
def _cvta(decoder: Decoder, instruction: Instruction) -> Step:
    """Between addresses of a space and generic ones: shared and local have windows of their own."""
    space = next(m for m in instruction.modifiers if m not in ("to", "u64"))
    window = {"shared": SHARED_WINDOW, "local": LOCAL_WINDOW}.get(space, 0)
    shift = np.uint64(window)
    if instruction.has("to"):
        return decoder.pure(lambda a: a - shift, instruction, "u64")
    return decoder.pure(lambda a: a + shift, instruction, "u64")


@opcode("activemask")
def _activemask(decoder: Decoder, instruction: Instruction) -> Step:
    number, dtype = decoder.result(instruction.operands[0])

    def step(registers: Registers, lanes: Any) -> None:
        here = lanes.batch.lane_bits(lanes.numbers)
        registers[number] = recast(here[lanes.batch.warp[lanes.numbers]], dtype)

    return step


@opcode("fence", "membar")
def _fence(decoder: Decoder, instruction: Instruction) -> Step:
    """Steps are carried out in order: nothing to wait for."""
    return lambda registers, lanes: None
