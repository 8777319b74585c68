"""Each kind of fault is planted once: the checks notice it, and pass what has none."""

from __future__ import annotations

import pytest

from tests.cuda.faults import fault as faults
from tests.cuda.faults.fault import FAULTS, Fault
from tests.cuda.faults.rungs import RUNGS, checked
from tests.cuda.host.engine import SCHEDULES

BREAKS = {("values", "misaligned")}
"""A host may end the process that does this unchecked."""

EACH = [
    pytest.param(rung, fault, id=f"{fault.name}-{rung}")
    for fault in FAULTS
    for rung in RUNGS
    if (rung, fault.name) not in BREAKS
]


@pytest.mark.parametrize(("rung", "fault"), EACH)
def test_a_kernel_without_fault_passes(rung: str, fault: Fault) -> None:
    assert RUNGS[rung](fault, False) is None


@pytest.mark.parametrize(("rung", "fault"), EACH)
def test_a_planted_fault_is_noticed_by_whom_the_table_says(rung: str, fault: Fault) -> None:
    noticed = RUNGS[rung](fault, True)
    assert (noticed is not None) == (rung in fault.caught_by), noticed


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_host_says_what_it_is_in_every_order(fault: Fault, schedule: str) -> None:
    noticed = checked(fault, True, schedule)
    # In another order the early reader comes after the writer: unordered all the same.
    assert noticed in ({"unwritten", "race"} if fault.kind == "unwritten" else {fault.kind})


def test_the_table_is_up_to_date() -> None:
    assert faults.__doc__ is not None
    assert faults.table() in faults.__doc__
