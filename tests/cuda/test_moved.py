"""Memory-bound kernels move at most 1.1 times what they must; what falls short is listed here."""

from __future__ import annotations

import re

import pytest

from tests.cuda.cases.found import all_cases
from tests.cuda.moved import committed, measured_in
from tests.cuda.moved_shapes import FAMILIES

MOST = 1.1
"""Bytes over the least that any way of doing it must move."""

BEYOND = {
    r"segment_rows: .*(7×9|32768×6)": (
        1.6,
        "rows of 24 or 36 bytes in any order, each with the sectors that it lies in: 1.57 alone",
    ),
}
"""Names of shapes -> the most they move, and why the least is not reached."""

MEANT = "where it is meant: python -m tests.cuda.moved, and read the difference"


def most_of(name: str) -> float:
    """That a shape may move, over the least."""
    return next((most for names, (most, _) in BEYOND.items() if re.match(names, name)), MOST)


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_move_no_more_than_they_must_and_the_table_says(family: str) -> None:
    kept, rows = committed()[family], measured_in(family)
    assert set(kept) == set(rows), MEANT
    least = {name: row["memory"] for name, row in rows.items() if row["memory"] < 0.97}
    assert not least, f"less than the least: {least}"
    beyond = {name: row["memory"] for name, row in rows.items() if row["memory"] > most_of(name)}
    assert not beyond, f"more than they may: {beyond}"
    more = {name: row for name, row in rows.items() if any(row[k] > kept[name][k] for k in row)}
    assert not more, f"more than before: {more}; {MEANT}"


def test_every_kernel_and_every_exception_has_a_shape() -> None:
    rows = {name: row for family in committed().values() for name, row in family.items()}
    assert {name.partition(":")[0] for name in rows} == {case.kernel.name for case in all_cases()}
    for exception in BEYOND:
        excused = [row["memory"] for name, row in rows.items() if re.match(exception, name)]
        assert excused, f"no shape is called {exception}"
        assert min(excused) > MOST, f"{exception} excuses a shape that needs no excuse"
