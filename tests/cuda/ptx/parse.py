"""PTX text -> kernels.

Reads what NVRTC writes: the entries of a module with its variables. Registers of inner scopes
(inline assembly) get names of their own. Functions that are called, not inlined, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.cuda.ptx.dtypes import DTYPES
from tests.cuda.ptx.errors import PtxError
from tests.cuda.ptx.program import Instruction, Parameter, PtxKernel, Variable, align_up


def parse(text: str) -> dict[str, PtxKernel]:
    """Every kernel of a module, by name."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    heads = list(_ENTRY.finditer(text))
    outside = _outside_bodies(text)
    module_variables = [v for m in _VARIABLE.finditer(outside) if (v := _variable(m))]
    kernels = {}
    for head in heads:
        body = _Body(module_variables)
        body.read(_braced(text, head.end() - 1))
        kernels[head[1]] = body.kernel(head[1], _parameters(head[2]))
    return kernels


@dataclass
class _Body:
    """What has been read of a kernel so far."""

    module_variables: list[Variable]
    registers: dict[str, np.dtype[Any]] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)
    code: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scopes: list[dict[str, str]] = field(default_factory=lambda: [{}])
    """Name -> unique name, of what inner scopes declare."""
    scopes_seen: int = 0
    last_label: str = ""

    def read(self, body: str) -> None:
        for statement in _statements(body):
            if statement == "{":
                self.scopes_seen += 1
                self.scopes.append({})
            elif statement == "}":
                self.scopes.pop()
            elif statement.endswith(":"):
                self.last_label = self._declare(statement[:-1].strip())
                self.labels[self.last_label] = len(self.code)
            elif statement.startswith("."):
                self._directive(statement)
            else:
                self.code.append(self._instruction(statement))

    def kernel(self, name: str, parameters: tuple[Parameter, ...]) -> PtxKernel:
        variables = (*self.module_variables, *self.variables)
        return PtxKernel(
            name, parameters, self.registers, variables, tuple(self.code), self.labels, self.tables
        )

    def _directive(self, text: str) -> None:
        if found := re.match(r"\.reg\s+\.(\w+)\s+(.*)", text, re.DOTALL):
            for name in found[2].split(","):
                self._register(name.strip(), found[1])
        elif found := re.match(r"\.branchtargets\s+(.*)", text, re.DOTALL):
            self.tables[self.last_label] = tuple(x.strip() for x in found[1].split(","))
        elif (found := _VARIABLE.match(text + ";")) and (variable := _variable(found)):
            self.variables.append(variable)

    def _register(self, name: str, ptx_type: str) -> None:
        if found := re.match(r"(.*)<(\d+)>$", name):
            for number in range(int(found[2])):
                self.registers[self._declare(f"{found[1]}{number}")] = DTYPES[ptx_type]
        else:
            self.registers[self._declare(name)] = DTYPES[ptx_type]

    def _declare(self, name: str) -> str:
        """The unique name of what is declared here."""
        if len(self.scopes) == 1 or name.startswith("$L__BB"):
            return name
        return self.scopes[-1].setdefault(name, f"{name}@{self.scopes_seen}")

    def _known(self, operand: str) -> str:
        """An operand, with names of inner scopes replaced."""
        for scope in reversed(self.scopes[1:]):
            for name, unique in scope.items():
                operand = re.sub(rf"(?<![\w%$]){re.escape(name)}(?![\w@])", unique, operand)
        return operand

    def _instruction(self, text: str) -> Instruction:
        text = " ".join(text.split())
        found = re.match(r"(?:@(!?)([\w%$]+)\s+)?([\w.:]+)\s*(.*)$", text)
        if not found:
            raise PtxError(f"cannot read `{text}`")
        opcode, *modifiers = found[3].split(".")
        operands = tuple(self._known(x) for x in _split(found[4]))
        predicate = self._known(found[2]) if found[2] else None
        return Instruction(text, opcode, tuple(modifiers), operands, predicate, found[1] == "!")


_ENTRY = re.compile(r"\.entry\s+([\w$]+)\s*\((.*?)\)[^{;]*\{", re.DOTALL)
_VARIABLE = re.compile(
    r"\.(shared|local|global|const)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+([\w$]+)"
    r"((?:\[\d*\])*)\s*(?:=\s*([^;]*))?;"
)
_STATEMENT = re.compile(r"\s*([{}]|[\w$%]+\s*:(?!:)|[^;{}]*(?:\{[^;{}]*\}[^;{}]*)*;)")


def _statements(body: str) -> Iterator[str]:
    at = 0
    while found := _STATEMENT.match(body, at):
        at = found.end()
        statement = found[1].strip().rstrip(";").strip()
        if statement:
            yield statement
    if body[at:].strip():
        raise PtxError(f"cannot read `{body[at:].strip()[:80]}`")


def _split(text: str) -> list[str]:
    """At commas outside of brackets."""
    parts = re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|[^,{\[(])+", text)
    return [part.strip() for part in parts if part.strip()]


def _braced(text: str, start: int) -> str:
    """What lies between the brace at ``start`` and the one that closes it."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return text[start + 1 : found.start()]
    raise PtxError("a brace is not closed")


def _outside_bodies(text: str) -> str:
    """The module without what is between the braces of its functions."""
    kept, at = [], 0
    for head in re.finditer(r"\)\s*(?:\.\w+[^{;]*)?\{", text):
        if head.start() < at:
            continue
        kept.append(text[at : head.end()])
        at = head.end() - 1 + len(_braced(text, head.end() - 1)) + 1
    return "".join([*kept, text[at:]])


def _parameters(text: str) -> tuple[Parameter, ...]:
    found = re.findall(
        r"\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+(?:\.ptr\s+)?(?:\.(?!align)\w+\s+)*"
        r"(?:\.align\s+\d+\s+)?([\w$]+)(?:\[(\d+)\])?",
        text,
    )
    parameters, at = [], 0
    for align, ptx_type, name, count in found:
        itemsize = DTYPES[ptx_type].itemsize
        nbytes = itemsize * int(count or 1)
        at = align_up(at, int(align or itemsize))
        parameters.append(Parameter(name, "struct" if count else ptx_type, at, nbytes))
        at += nbytes
    return tuple(parameters)


def _variable(found: re.Match[str]) -> Variable | None:
    space, align, ptx_type, name, dims, initial = found.groups()
    dtype = DTYPES[ptx_type]
    count = 1
    for extent in re.findall(r"\[(\d*)\]", dims):
        count *= int(extent or 0)
    values = b"".join(_element(x, dtype) for x in re.findall(r"[^\s,{}]+", initial or ""))
    return Variable(name, space, int(align or dtype.itemsize), count * dtype.itemsize, values)


def _element(text: str, dtype: np.dtype[Any]) -> bytes:
    if found := re.match(r"0[fF]([0-9a-fA-F]{8})|0[dD]([0-9a-fA-F]{16})", text):
        digits = found[1] or found[2]
        return int(digits, 16).to_bytes(len(digits) // 2, "little")
    try:
        bits = int(text, 0) & ((1 << 8 * dtype.itemsize) - 1)
        return bits.to_bytes(dtype.itemsize, "little")
    except ValueError:
        raise PtxError(f"a variable starts as `{text}`, which is not a number") from None
