"""Instructions -> steps: functions of the registers, made once per kernel.

A step takes the registers of the threads that run it (number -> array) and these threads
(:class:`Lanes`); it puts new arrays into the registers and never changes one in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from operator import itemgetter
from typing import Any, Protocol

import numpy as np

from tests.cuda.ptx.denormals import flushed_registers
from tests.cuda.ptx.dtypes import DTYPES, recast, unsigned
from tests.cuda.ptx.errors import Fault, PtxError
from tests.cuda.ptx.program import Instruction, PtxKernel

Registers = MutableMapping[int, Any]
Reader = Callable[[Registers], Any]


class Lanes(Protocol):
    """The threads that run a step."""

    n: int
    numbers: Any
    """Their numbers in the batch, ascending."""
    batch: Any
    """Memory and special registers of all threads of the batch."""

    def pick(self, which: Any) -> Lanes:
        """Some of them."""


Step = Callable[[Registers, Any], None]
Builder = Callable[["Decoder", Instruction], Step]

BUILDERS: dict[str, Builder] = {}
"""Opcode -> what makes the step of an instruction."""


def opcode(*names: str) -> Callable[[Builder], Builder]:
    """Register the builder of some opcodes."""

    def register(builder: Builder) -> Builder:
        BUILDERS.update(dict.fromkeys(names, builder))
        return builder

    return register


NO_DESTINATION = frozenset(
    ("st", "red", "bra", "brx", "ret", "exit", "bar", "barrier", "fence", "membar", "trap")
)
SPECIAL = re.compile(r"%(n?tid|n?ctaid|nctaid)\.[xyz]$|%laneid$|%warpid$|%lanemask_\w+$")


class Decoder:
    """Reads and writes operands of one kernel."""

    def __init__(self, kernel: PtxKernel) -> None:
        self.kernel = kernel
        self.dtypes = dict(kernel.registers)
        for instruction in kernel.code:
            if instruction.opcode == "call":
                raise PtxError(f"{kernel.name}: calls are not known: `{instruction.text}`")
            for operand in instruction.operands:
                if SPECIAL.match(operand):
                    self.dtypes.setdefault(operand, DTYPES["u32"])
        self.numbers = {name: number for number, name in enumerate(self.dtypes)}
        self.flushed = flushed_registers(kernel)
        self.addresses: dict[str, int] = {**kernel.shared_offsets, **kernel.local_offsets}
        self.module_variables: dict[str, Any] = {}
        for variable in kernel.variables:
            if variable.space in ("global", "const"):
                self.module_variables[variable.name] = self._allocated(variable)

    @property
    def specials(self) -> dict[str, int]:
        """Special registers that the kernel reads: name -> number."""
        return {name: n for name, n in self.numbers.items() if SPECIAL.match(name)}

    def step(self, instruction: Instruction) -> Step:
        """The step of an instruction.

        Raises
        ------
        PtxError
            It is not known.
        """
        builder = BUILDERS.get(instruction.opcode)
        try:
            if builder is None:
                raise KeyError(instruction.opcode)
            step = builder(self, instruction)
        except (KeyError, IndexError, ValueError) as error:
            name = self.kernel.name
            raise PtxError(f"{name}: `{instruction.text}` is not known ({error})") from error
        if instruction.predicate:
            step = self._predicated(step, instruction)
        return step

    def read(self, operand: str, ptx_type: str) -> Reader:
        """What reads an operand as a type: an array, or one number where it is a constant."""
        wanted = DTYPES[ptx_type]
        if operand.startswith("!"):
            inner = self.read(operand[1:], ptx_type)
            return lambda registers: ~inner(registers)
        if operand not in self.numbers:
            value = self.constant(operand, ptx_type)
            return lambda registers: value
        number, have = self.numbers[operand], self.dtypes[operand]
        if have == wanted:
            return itemgetter(number)
        if have.itemsize == wanted.itemsize:
            return lambda registers: registers[number].view(wanted)
        return lambda registers: recast(registers[number], wanted)

    def constant(self, operand: str, ptx_type: str) -> Any:
        """A number in the text, or the address of a variable.

        Raises
        ------
        PtxError
            It is neither.
        """
        dtype = DTYPES[ptx_type]
        if found := re.match(r"0[fF]([0-9a-fA-F]{8})$", operand):
            return recast(np.uint32(int(found[1], 16)), dtype)
        if found := re.match(r"0[dD]([0-9a-fA-F]{16})$", operand):
            return np.uint64(int(found[1], 16)).view(np.float64).view(dtype)
        if operand in self.module_variables:
            value = self.module_variables[operand].ctypes.data
        elif operand in self.addresses:
            value = self.addresses[operand]
        elif re.match(r"-?(0[xXbB])?[0-9a-fA-F]+U?$", operand):
            value = int(operand.rstrip("U"), 0)
        else:
            raise PtxError(f"{self.kernel.name}: operand {operand} is not known")
        if dtype.kind == "b":
            return np.bool_(value)
        bits = np.array(value & (2 ** (8 * dtype.itemsize) - 1), unsigned(dtype))
        return bits.view(dtype)[()]

    def array(self, operand: str, ptx_type: str) -> Callable[[Registers, Any], Any]:
        """What reads an operand as an array of its own, constants repeated."""
        reader = self.read(operand, ptx_type)
        if self.is_register(operand):
            return lambda registers, lanes: reader(registers)
        return lambda registers, lanes: np.full(lanes.n, reader({}))

    def is_register(self, operand: str) -> bool:
        """Whether it is one, and not a constant."""
        return operand.lstrip("!") in self.numbers

    def result(self, operand: str) -> tuple[int, np.dtype[Any]]:
        """Number and dtype of the register that is written."""
        return self.numbers[operand], self.dtypes[operand]

    def assign(self, function: Callable[..., Any], into: str, *readers: Reader) -> Step:
        """A step that puts ``function(operands)`` into a register."""
        number, dtype = self.result(into)
        if len(readers) == 1:
            (a,) = readers

            def one(registers: Registers, lanes: Any) -> None:
                value = function(a(registers))
                registers[number] = value if value.dtype == dtype else recast(value, dtype)

            return one
        if len(readers) == 2:
            a, b = readers

            def two(registers: Registers, lanes: Any) -> None:
                value = function(a(registers), b(registers))
                registers[number] = value if value.dtype == dtype else recast(value, dtype)

            return two
        a, b, c, *rest = readers

        def more(registers: Registers, lanes: Any) -> None:
            others = [read(registers) for read in rest]
            value = function(a(registers), b(registers), c(registers), *others)
            registers[number] = value if value.dtype == dtype else recast(value, dtype)

        return more

    def pure(self, function: Callable[..., Any], instruction: Instruction, *types: str) -> Step:
        """A step whose operands after the first are read as ``types``."""
        into, *sources = instruction.operands
        if len(sources) != len(types):
            raise ValueError(f"{len(sources)} operands")
        readers = [self.read(x, t) for x, t in zip(sources, types, strict=True)]
        if not any(self.is_register(x) for x in sources):  # constants only: one value each
            first = self.array(sources[0], types[0])
            number, dtype = self.result(into)

            def repeated(registers: Registers, lanes: Any) -> None:
                rest = [read(registers) for read in readers[1:]]
                registers[number] = recast(function(first(registers, lanes), *rest), dtype)

            return repeated
        return self.assign(function, into, *readers)

    def condition(self, instruction: Instruction) -> Reader:
        """Where the predicate of an instruction holds."""
        return self.read(("!" if instruction.negated else "") + str(instruction.predicate), "pred")

    def sync_mask(self, instruction: Instruction) -> Reader:
        """The lanes that a warp-wide instruction waits for."""
        return self.read(instruction.operands[-1], "u32")

    def sources(self, instruction: Instruction) -> list[int]:
        """Numbers of the registers that an instruction reads."""
        operands = list(instruction.operands)
        if operands and instruction.opcode not in NO_DESTINATION:
            operands = operands[1:]
        if instruction.predicate:
            operands.append(instruction.predicate)
        names = [name for operand in operands for name in names_in(operand)]
        return [self.numbers[name] for name in names if name in self.numbers]

    def destinations(self, instruction: Instruction) -> list[int]:
        """Numbers of the registers that it writes."""
        if instruction.opcode in NO_DESTINATION or not instruction.operands:
            return []
        names = names_in(instruction.operands[0])
        return [self.numbers[name] for name in names if name in self.numbers]

    def _predicated(self, step: Step, instruction: Instruction) -> Step:
        """The step, for those threads only whose predicate holds."""
        holds = self.condition(instruction)
        writes = self.destinations(instruction)
        reads = self.sources(instruction)

        def some(registers: Registers, lanes: Any) -> None:
            which = np.flatnonzero(holds(registers))
            if len(which) == lanes.n:
                step(registers, lanes)
            elif len(which):
                inner = {number: registers[number].take(which) for number in reads}
                try:
                    step(inner, lanes.pick(which))
                except Fault as fault:
                    raise Fault(str(fault), int(which[fault.at])) from None
                for number in writes:
                    value = registers[number].copy()
                    value[which] = inner[number]
                    registers[number] = value

        return some

    def _allocated(self, variable: Any) -> Any:
        memory = np.zeros(-(-max(1, variable.nbytes) // 16) * 16, np.uint8)[: variable.nbytes]
        memory[: len(variable.initial)] = np.frombuffer(variable.initial, np.uint8)
        return memory


def names_in(operand: str) -> list[str]:
    """Names in an operand: of a vector, a pair or an address."""
    return re.findall(r"[%$\w.@]+", operand)
