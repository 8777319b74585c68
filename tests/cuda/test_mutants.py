"""Mutants are made where they mean something, and sorted by what becomes of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import pytest

from gpudb import kernels
from tests.cuda.mutate import score, summary
from tests.cuda.mutation.mutant import Mutant, mutants, sample
from tests.cuda.mutation.processes import NoBaselineError, Outcome, Runner, What
from tests.cuda.mutation.rules import changed_lines
from tests.cuda.mutation.suite import Replace, Suite, Trial, suites


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


pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # they only compute


def small_suite() -> Suite:
    """Trials of one shape in one dtype, without small grids."""
    whole = suites()["row_softmax"]
    trials = [t for t in whole.trials if t.dtype == "float32" and t.case.label.startswith("3x32")]
    functions = {f for f in whole.functions if ("T", "float") in f.defines}
    return Suite([t for t in trials if t.most_blocks > 2], functions)


def test_what_becomes_of_mutants() -> None:
    wanted = {
        mutant_of_softmax("* inverse;", "/ inverse;"): What.WRONG,
        mutant_of_softmax("kept, width, packed", "kept, width + 1, packed"): What.REPORTED,
        mutant_of_softmax("row < rows", "row < row_s"): What.NOT_COMPILED,
        mutant_of_softmax("inverse = A(1) /", "inverse =  A(1) /"): What.SAME,
        mutant_of_softmax(
            "row += gridDim.x", "row = rows"
        ): What.SURVIVED,  # these have no small grid
    }
    outcomes = {o.mutant: o.what for o in Runner(small_suite()).outcomes(list(wanted))}
    assert outcomes == wanted


@dataclass(frozen=True, slots=True, eq=False)
class Broken(Trial):
    """A trial in which the harness itself goes wrong, as soon as something is changed."""

    crash: Callable[[], object] = field(kw_only=True)

    def on_host(self, replace: Replace) -> None:
        function = next(iter(small_suite().functions))
        if replace(function) != function:
            self.crash()


@pytest.mark.parametrize(
    ("crash", "detail"),
    [(lambda: [][0], "IndexError: list index out of range"), (lambda: os._exit(3), "exit code 3")],
)
def test_a_crash_of_the_harness_is_no_kill(crash: Callable[[], object], detail: str) -> None:
    suite = small_suite()
    first = suite.trials[0]
    broken = Broken(*(getattr(first, f.name) for f in fields(Trial)), crash=crash)
    mutant = mutant_of_softmax("* inverse;", "/ inverse;")
    outcomes = list(Runner(Suite([broken], suite.functions)).outcomes([mutant]))
    assert [(o.what, o.detail) for o in outcomes] == [(What.CRASHED, detail)]
    assert f"harness crashed: {mutant}: {detail}" in summary("row_softmax", outcomes)


def test_nothing_is_scored_where_the_checks_fail_without_a_change() -> None:
    suite = small_suite()
    case = suite.trials[0].case
    wrong = replace(case.kernel, reference=lambda *args: 1 + case.kernel.reference(*args))
    trials = [replace(suite.trials[0], case=replace(case, kernel=wrong))]
    mutant = mutant_of_softmax("* inverse;", "/ inverse;")
    with pytest.raises(NoBaselineError, match="without any change: killed by values"):
        next(Runner(Suite(trials, suite.functions)).outcomes([mutant]))


def test_only_kills_and_survivors_are_scored() -> None:
    mutant = mutants("row_softmax")[0]
    assert score([Outcome(mutant, what) for what in What]) == "2 of 3 killed, 67 %"
