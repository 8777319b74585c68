"""Instructions of a whole warp. The machine has made sure that all lanes of the mask are here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cuda.ptx.decode import Decoder, Registers, Step, opcode
from tests.cuda.ptx.dtypes import recast
from tests.cuda.ptx.errors import Fault
from tests.cuda.ptx.program import Instruction


@opcode("shfl")
def _shfl(decoder: Decoder, instruction: Instruction) -> Step:
    mode = instruction.modifiers[1]
    if mode not in ("up", "down", "bfly", "idx"):
        raise KeyError(mode)
    into, _, predicate = instruction.operands[0].partition("|")
    result = decoder.result(into) if into != "_" else None
    found = decoder.result(predicate)[0] if predicate else None
    value = decoder.array(instruction.operands[1], "u32")
    others = [decoder.read(x, "u32") for x in instruction.operands[2:]]

    def step(registers: Registers, lanes: Any) -> None:
        steps, limits, mask = (read(registers) for read in others)
        partners, valid = _partners(mode, lanes, steps, limits, mask)
        if result:
            whole = value(registers, lanes)
            if lanes is not lanes.batch.everybody:
                whole, some = np.empty(lanes.batch.n, np.uint32), whole
                whole[lanes.numbers] = some
            registers[result[0]] = recast(whole.take(partners), result[1])
        if found is not None:
            registers[found] = valid.copy()

    return step


def _partners(mode: str, lanes: Any, step: Any, limit: Any, mask: Any) -> tuple[Any, Any]:
    """Numbers of the threads that these read from; remembered where everybody does the same."""
    constant = not (np.ndim(step) or np.ndim(limit) or np.ndim(mask))
    memo, key = lanes.batch.partners, (mode, int(step), int(limit), int(mask)) if constant else None
    everybody = lanes is lanes.batch.everybody
    if constant and everybody and key in memo:
        known: tuple[Any, Any] = memo[key]
        return known
    lane = lanes.batch.lane[lanes.numbers]
    source, valid = _source(
        mode, lane, np.asarray(step).astype(np.int64), np.asarray(limit).astype(np.int64)
    )
    source = np.where(valid, source, lane)
    absent = (np.asarray(mask) >> source.astype(np.uint32)) & np.uint32(1) == 0
    if absent.any():
        at = int(np.flatnonzero(absent)[0])
        raise Fault(f"shuffle from lane {int(source[at])}, which is not in the mask", at)
    partners = lanes.numbers - lane + source
    if constant and everybody:
        memo[key] = (partners, valid)
    return partners, valid


def _source(mode: str, lane: Any, step: Any, limit: Any) -> tuple[Any, Any]:
    """The lane each one reads from, and whether it is within its segment (PTX ISA, shfl.sync)."""
    segment, clamp = (limit >> 8) & 31, limit & 31
    first = lane & segment
    last = first | (clamp & ~segment)
    step = step & 31
    if mode == "up":
        return lane - step, lane - step >= last
    if mode == "down":
        return lane + step, lane + step <= last
    if mode == "bfly":
        return lane ^ step, (lane ^ step) <= last
    source = first | (step & ~segment)
    return source, source <= last


@opcode("vote")
def _vote(decoder: Decoder, instruction: Instruction) -> Step:
    mode = instruction.modifiers[1]
    number, dtype = decoder.result(instruction.operands[0])
    holds = decoder.array(instruction.operands[1], "pred")
    mask = decoder.read(instruction.operands[2], "u32")
    answers: dict[str, Callable[[Any, Any], Any]] = {
        "ballot": lambda yes, mask: yes,
        "all": lambda yes, mask: yes == mask,
        "any": lambda yes, mask: yes != 0,
        "uni": lambda yes, mask: (yes == 0) | (yes == mask),
    }
    answer = answers[mode]

    def step(registers: Registers, lanes: Any) -> None:
        batch, named = lanes.batch, mask(registers)
        bits = batch.lane_bits(lanes.numbers[holds(registers, lanes)])
        yes = bits[batch.warp[lanes.numbers]] & named
        registers[number] = recast(np.asarray(answer(yes, named)), dtype)

    return step


@opcode("match")
def _match(decoder: Decoder, instruction: Instruction) -> Step:
    """Lanes that hold the same value."""
    if instruction.modifiers[0] != "any":
        raise KeyError(instruction.modifiers[0])
    number, dtype = decoder.result(instruction.operands[0])
    value = decoder.array(instruction.operands[1], f"u{instruction.type[1:]}")
    mask = decoder.read(instruction.operands[2], "u32")

    def step(registers: Registers, lanes: Any) -> None:
        batch, values = lanes.batch, value(registers, lanes)
        same = np.zeros(lanes.n, np.uint32)
        for shared in np.unique(values):
            bits = batch.lane_bits(lanes.numbers[values == shared])
            same = np.where(values == shared, bits[batch.warp[lanes.numbers]], same)
        registers[number] = recast(same & mask(registers), dtype)

    return step


@opcode("redux")
def _redux(decoder: Decoder, instruction: Instruction) -> Step:
    """One result for all lanes of a full mask."""
    operation, kind = instruction.modifiers[1], instruction.type
    functions: dict[str, Any] = {
        "add": np.add,
        "min": np.minimum,
        "max": np.maximum,
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "xor": np.bitwise_xor,
    }
    function = functions[operation]
    number, dtype = decoder.result(instruction.operands[0])
    value = decoder.array(instruction.operands[1], kind)

    def step(registers: Registers, lanes: Any) -> None:
        warp, values = lanes.batch.warp[lanes.numbers], value(registers, lanes)
        starts = np.flatnonzero(np.r_[True, warp[1:] != warp[:-1]])
        results = function.reduceat(values, starts, dtype=values.dtype)
        registers[number] = recast(np.repeat(results, np.diff(np.r_[starts, len(warp)])), dtype)

    return step


@opcode("bar")
def _bar_warp(decoder: Decoder, instruction: Instruction) -> Step:
    """``bar.warp.sync``; barriers of a block are the machine's business."""

    def step(registers: Registers, lanes: Any) -> None:
        if lanes.batch.races:
            lanes.batch.races.warp_sync(lanes.numbers)

    return step
