"""Mutants of a file of kernels/."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from gpudb.kernels.launch import Cuda
from tests.cuda.host.text import COMMON, TextCuda
from tests.cuda.mutation.rules import changed_lines


@dataclass(frozen=True, slots=True)
class Mutant:
    """One line of a file, changed."""

    file: str
    line: str
    nth: int
    """Of equal lines in the text that is compiled, from 0."""
    new: str

    def apply(self, function: Cuda) -> Cuda:
        """The function with this change, if it is in this file."""
        if function.file != self.file:
            return function
        lines = function.source.split("\n")
        at = [i for i, line in enumerate(lines) if line == self.line][self.nth]
        lines[at] = self.new
        return TextCuda(function.file, function.function, function.defines, "\n".join(lines))

    def __str__(self) -> str:
        return f"{self.line.strip()}  ->  {self.new.strip()}"


UNCHANGED = Mutant(file="", line="", nth=0, new="")
"""No change of any file: a kernel that is right gives the same code and passes."""


def mutants(file: str) -> list[Mutant]:
    """All of a file and the headers that only some kernels include."""
    common = COMMON.read_text(encoding="utf-8")
    source = Cuda(file, file, ()).source
    start = source.find(common)
    passed: Counter[str] = Counter()
    made: dict[Mutant, None] = {}  # in order, each once
    place, in_comment = 0, False
    for line in source.split("\n"):
        is_common = start <= place < start + len(common)
        in_comment = in_comment or line.lstrip().startswith("/*")
        if not is_common and not in_comment:
            made.update(
                (Mutant(file, line, passed[line], new), None) for new in changed_lines(line)
            )
        in_comment = in_comment and "*/" not in line
        passed[line] += 1
        place += len(line) + 1
    return list(made)


def sample(file: str, limit: int | None, seed: int) -> list[Mutant]:
    """Some of them, the same for the same seed."""
    made = mutants(file)
    if limit is None or limit >= len(made):
        return made
    return random.Random(f"{seed} {file}").sample(made, limit)
