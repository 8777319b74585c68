"""A kernel as read from PTX."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an entry: where it lies among the parameters' bytes."""

    name: str
    type: str
    """``u64``, ``f32``, …; ``struct`` where it is an array of bytes."""
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with an address: shared, local, global or constant."""

    name: str
    space: str
    align: int
    nbytes: int
    """0: the dynamic shared memory."""
    initial: bytes = b""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, cut at its dots and commas."""

    text: str
    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[str, ...]
    predicate: str | None = None
    negated: bool = False

    @property
    def type(self) -> str:
        """Of the operation: the last modifier."""
        return self.modifiers[-1] if self.modifiers else ""

    def has(self, *modifiers: str) -> bool:
        """Whether one of the modifiers is there."""
        return any(m in self.modifiers for m in modifiers)


@dataclass(frozen=True)
class PtxKernel:
    """One ``.entry``."""

    name: str
    parameters: tuple[Parameter, ...]
    registers: dict[str, np.dtype[Any]]
    variables: tuple[Variable, ...]
    code: tuple[Instruction, ...]
    labels: dict[str, int]
    tables: dict[str, tuple[str, ...]]
    """Labels of indirect branches."""

    @property
    def parameter_nbytes(self) -> int:
        """Bytes of all parameters."""
        return max((p.offset + p.nbytes for p in self.parameters), default=0)

    @cached_property
    def shared_offsets(self) -> dict[str, int]:
        """Where static variables lie in a block's shared memory; the dynamic ones behind them."""
        return _placed([v for v in self.variables if v.space == "shared"])

    @cached_property
    def static_shared(self) -> int:
        """Bytes of shared memory before the dynamic ones, rounded up to 16."""
        return _end([v for v in self.variables if v.space == "shared"], self.shared_offsets)

    @cached_property
    def local_offsets(self) -> dict[str, int]:
        """Where variables of a thread lie in its local memory."""
        return _placed([v for v in self.variables if v.space == "local"])

    @cached_property
    def local_nbytes(self) -> int:
        """Bytes of local memory of a thread."""
        return _end([v for v in self.variables if v.space == "local"], self.local_offsets)


def align_up(offset: int, align: int) -> int:
    """The next multiple."""
    return -(-offset // align) * align


def _placed(variables: list[Variable]) -> dict[str, int]:
    offsets: dict[str, int] = {}
    at = 0
    for variable in sorted(variables, key=lambda v: v.nbytes == 0):  # dynamic ones last
        at = align_up(at, 16 if variable.nbytes == 0 else variable.align)
        offsets[variable.name] = at
        at += variable.nbytes
    return offsets


def _end(variables: list[Variable], offsets: dict[str, int]) -> int:
    return align_up(max((offsets[v.name] + v.nbytes for v in variables), default=0), 16)
