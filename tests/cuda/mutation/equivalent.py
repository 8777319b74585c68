"""Mutants that mean the same as the kernel, each with the reason. They count for nothing."""

from __future__ import annotations

from collections.abc import Mapping

from tests.cuda.mutation.mutant import Mutant

EQUIVALENT: Mapping[tuple[str, str, str], str] = {}
"""File, line, changed line (both without the space around them) -> why it is the same."""


def is_equivalent(mutant: Mutant) -> bool:
    return (mutant.file, mutant.line.strip(), mutant.new.strip()) in EQUIVALENT
