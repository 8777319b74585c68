"""Mutants are made where they mean something, and sorted by what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudb import kernels
from tests.cuda.mutate import score
from tests.cuda.mutation.mutant import Mutant, mutants, sample
from tests.cuda.mutation.processes import NOT_COMPILED, SAME, SURVIVED, Outcome, Runner
from tests.cuda.mutation.rules import changed_lines
from tests.cuda.mutation.suite import Suite, suites


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("  if (a < b) c;", ["if (a <= b) c;", "if (a > b) c;", "if (true) c;", "if (false) c;"]),
        ("  x = a * b;  // 1 < 2", ["x = a + b;"]),
        ("  __syncthreads();", ["(void)0;"]),
        ("  const T* from = load<T>(x);", []),
        ("#pragma unroll 4", []),
        ("template <int N = 3>", []),
    ],
)
def test_changes_of_a_line(line: str, changed: list[str]) -> None:
    assert [new.strip() for new in changed_lines(line)] == changed


def test_mutants_are_of_the_kernel_and_differ() -> None:
    made = mutants("row_softmax")
    assert len(made) == len(set(made)) > 100
    assert all("warp_reduce" not in mutant.line for mutant in made)  # of common.cuh
    assert sample("row_softmax", 9, 1) == sample("row_softmax", 9, 1) != sample("row_softmax", 9, 2)


def mutant_of_softmax(old: str, new: str) -> Mutant:
    """The first mutant of a line that holds ``old``, where ``new`` stands instead."""
    text = (Path(kernels.__file__).parent / "row_softmax.cu").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if old in line)
    return Mutant("row_softmax", line, 0, line.replace(old, new))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # children only compute
def test_what_becomes_of_mutants() -> None:
    whole = suites()["row_softmax"]
    float32 = {f for f in whole.functions if ("T", "float") in f.defines}
    trials = [t for t in whole.trials if t.dtype == "float32" and t.case.label.startswith("3x32")]
    wanted = {
        mutant_of_softmax("total += v", "total -= v"): "values",
        mutant_of_softmax("<T>(width, packed", "<T>(width + 1, packed"): "bounds",
        mutant_of_softmax("row < rows", "row < row_s"): NOT_COMPILED,
        mutant_of_softmax("largest = -CU_INF", "largest = - CU_INF"): SAME,
        mutant_of_softmax("row += gridDim.x", "row = rows"): SURVIVED,  # these have no small grid
    }
    suite = Suite([t for t in trials if t.most_blocks > 2], float32)
    outcomes = {o.mutant: o.what for o in Runner(suite).outcomes(list(wanted))}
    assert outcomes == wanted


def test_what_does_not_compile_is_not_counted() -> None:
    mutant = mutants("row_softmax")[0]
    whats = ("race", SURVIVED, NOT_COMPILED, SAME)
    assert score([Outcome(mutant, what) for what in whats]) == "1 of 2 killed, 50 %"
