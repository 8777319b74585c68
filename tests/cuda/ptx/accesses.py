"""Loads, stores and atomics."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.cuda.ptx.atomics import OPERATIONS, compare_and_swap, in_turn
from tests.cuda.ptx.decode import Decoder, Reader, Registers, Step, names_in, opcode
from tests.cuda.ptx.dtypes import DTYPES, recast
from tests.cuda.ptx.errors import Fault
from tests.cuda.ptx.memory import LOCAL_WINDOW, SHARED_WINDOW, check_alignment
from tests.cuda.ptx.program import Instruction

SPACES = ("global", "shared", "local", "const", "param")
KNOWN = frozenset(
    {"volatile", "relaxed", "acquire", "release", "weak", "nc", "gpu", "cta", "sys", "cluster"}
    | {"ca", "cg", "cs", "cv", "lu", "wb", "wt", "shared::cta"}
)
"""Modifiers that change nothing here: steps are carried out in order."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where an instruction reads or writes."""

    space: str
    dtype: Any
    count: int
    address: Callable[[Registers, Any], Any]

    @property
    def nbytes(self) -> int:
        """Of one thread."""
        return int(self.dtype.itemsize) * self.count


def space_of(instruction: Instruction) -> str:
    """The space named, or ``generic``."""
    for modifier in instruction.modifiers:
        if modifier.partition("::")[0] in SPACES:
            return modifier.partition("::")[0]
    return "generic"


def _access(decoder: Decoder, instruction: Instruction, operand: str) -> Access:
    vector = next((m for m in instruction.modifiers if re.match(r"v[248]$", m)), "v1")
    for modifier in instruction.modifiers[:-1]:
        plain = modifier in KNOWN or modifier == vector or modifier.startswith(("L1::", "L2::"))
        if not plain and modifier.partition("::")[0] not in SPACES:
            raise KeyError(modifier)
    space = space_of(instruction)
    dtype = DTYPES[instruction.type]
    return Access(space, dtype, int(vector[1:]), _address(decoder, operand))


def _address(decoder: Decoder, operand: str) -> Callable[[Registers, Any], Any]:
    """What works out ``[base+offset]`` as int64."""
    found = re.match(r"\[\s*([^\]+\s]+)\s*(?:\+\s*(-?\w+))?\s*\]$", operand)
    if not found:
        raise KeyError(operand)
    base, offset = found[1], np.int64(int(found[2] or "0", 0))
    if not decoder.is_register(base):
        value = np.int64(decoder.constant(base, "u64")) + offset
        return lambda registers, lanes: np.full(lanes.n, value)
    itemsize = decoder.result(base)[1].itemsize
    reader: Reader = decoder.read(base, "u64" if itemsize == 8 else "u32")
    if itemsize == 4:
        return lambda registers, lanes: reader(registers).astype(np.int64) + offset
    if offset == 0:
        return lambda registers, lanes: reader(registers).view(np.int64)
    return lambda registers, lanes: reader(registers).view(np.int64) + offset


@opcode("ld", "ldu")
def _ld(decoder: Decoder, instruction: Instruction) -> Step:
    if space_of(instruction) == "param":
        return _parameter(decoder, instruction)
    access = _access(decoder, instruction, instruction.operands[1])
    into = [decoder.result(x) for x in names_in(instruction.operands[0])]

    def load(registers: Registers, lanes: Any) -> None:
        for which, view, index, count in _places(access, access.address(registers, lanes), lanes):
            for part, (number, dtype) in enumerate(into):
                values = recast(view.take(index + part if part else index), dtype)
                if not isinstance(which, slice):
                    values = _merged(registers, number, dtype, lanes.n, which, values, count)
                registers[number] = values

    return load


def _merged(
    registers: Registers, number: int, dtype: Any, n: int, which: Any, values: Any, turn: int
) -> Any:
    """Values of some threads, put among those that earlier regions gave."""
    whole = registers[number] if turn else np.zeros(n, dtype)
    whole[which] = values
    return whole


def _parameter(decoder: Decoder, instruction: Instruction) -> Step:
    """A parameter, or a part of one: the same for all threads."""
    found = re.match(r"\[([\w$]+)(?:\+(\d+))?\]$", instruction.operands[1])
    if not found:
        raise KeyError(instruction.operands[1])
    offsets = {p.name: p.offset for p in decoder.kernel.parameters}
    start = offsets[found[1]] + int(found[2] or 0)
    item = DTYPES[instruction.type]
    into = [decoder.result(x) for x in names_in(instruction.operands[0])]

    def load(registers: Registers, lanes: Any) -> None:
        for part, (number, dtype) in enumerate(into):
            at = start + part * item.itemsize
            value = lanes.batch.parameters[at : at + item.itemsize].view(item)
            registers[number] = np.repeat(recast(value, dtype), lanes.n)

    return load


@opcode("st")
def _st(decoder: Decoder, instruction: Instruction) -> Step:
    access = _access(decoder, instruction, instruction.operands[0])
    values = [decoder.read(x, instruction.type) for x in names_in(instruction.operands[1])]

    def store(registers: Registers, lanes: Any) -> None:
        addresses = access.address(registers, lanes)
        for which, view, index, _ in _places(access, addresses, lanes, write=True):
            for part, read in enumerate(values):
                value = read(registers)
                if not isinstance(which, slice) and np.ndim(value):
                    value = value[which]
                view[index + part if part else index] = value

    return store


def _places(access: Access, addresses: Any, lanes: Any, write: bool = False) -> Any:
    """(which threads, elements, index of the first, turn) for each region that is touched."""
    batch, nbytes = lanes.batch, access.nbytes
    check_alignment(addresses, nbytes)
    space = access.space
    if space == "generic":
        space, addresses = _resolved(addresses)
    if space == "shared":
        starts = batch.shared.places(batch.block[lanes.numbers], addresses, nbytes)
        if batch.races:
            note = batch.races.write if write else batch.races.read
            note(lanes.numbers, starts, nbytes)
        size = access.dtype.itemsize
        return [(slice(None), batch.shared.view(access.dtype), starts // size, 0)]
    if space == "local":
        starts = batch.local.places(lanes.numbers, addresses, nbytes)
        size = access.dtype.itemsize
        return [(slice(None), batch.local.view(access.dtype), starts // size, 0)]
    return _global_places(access, addresses, lanes, write)


def _resolved(addresses: Any) -> tuple[str, Any]:
    """The space that generic addresses are in, and addresses there."""
    for space, window in (("local", LOCAL_WINDOW), ("shared", SHARED_WINDOW)):
        inside = addresses >= window
        if inside.all():
            return space, addresses - window
        if inside.any():
            raise Fault("generic accesses to several spaces at once are not known", 0)
    return "global", addresses


def _global_places(access: Access, addresses: Any, lanes: Any, write: bool) -> Any:
    places = []
    for turn, (region, which) in enumerate(lanes.batch.memory.find(addresses, access.nbytes)):
        some = addresses[which]
        lanes.batch.count(region, some, lanes.numbers[which], access.nbytes, write)
        view, base = region.view(access.dtype)
        places.append((which, view, (some - base) // access.dtype.itemsize, turn))
    return places


@opcode("atom", "red")
def _atomic(decoder: Decoder, instruction: Instruction) -> Step:
    """One thread after the other, in the order of their numbers."""
    *before, operation, kind = instruction.modifiers
    if operation not in OPERATIONS and operation != "cas":
        raise KeyError(operation)
    if kind in ("f16x2", "bf16x2", "bf16"):
        raise KeyError(kind)
    returns = instruction.opcode == "atom"
    operands = instruction.operands[1:] if returns else instruction.operands
    plain = [m for m in before if m != "noftz"]
    stripped = Instruction(instruction.text, "ld", (*plain, kind), ())
    access = _access(decoder, stripped, operands[0])
    readers = [decoder.array(x, kind) for x in operands[1:]]
    into = decoder.result(instruction.operands[0]) if returns else None

    def step(registers: Registers, lanes: Any) -> None:
        values = [read(registers, lanes) for read in readers]
        old = np.zeros(lanes.n, access.dtype)
        for which, view, index in _atomic_places(access, access.address(registers, lanes), lanes):
            some = [value[which] for value in values]
            change = compare_and_swap if operation == "cas" else OPERATIONS[operation]
            old[which] = in_turn(view, index, change, some)
        if into:
            registers[into[0]] = recast(old, into[1])

    return step


def _atomic_places(access: Access, addresses: Any, lanes: Any) -> Any:
    if access.space == "shared" and lanes.batch.races:
        races, lanes.batch.races = lanes.batch.races, None
        try:
            places = _places(access, addresses, lanes, write=True)
        finally:
            lanes.batch.races = races
        starts = lanes.batch.shared.places(
            lanes.batch.block[lanes.numbers], addresses, access.nbytes
        )
        races.write(lanes.numbers, starts, access.nbytes, atomic=True)
    else:
        places = _places(access, addresses, lanes, write=True)
    return [(which, view, index) for which, view, index, _ in places]
