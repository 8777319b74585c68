"""Every case of every kernel on the host: results, races, bounds, alignment, unwritten memory."""

from __future__ import annotations

from itertools import cycle

import pytest

from tests.cuda.cases.case import Case
from tests.cuda.cases.found import all_cases
from tests.cuda.host.engine import SCHEDULES
from tests.cuda.host_device import HostDevice
from tests.cuda.run_case import check_case

# Checks do not depend on the order of threads: orders and block sizes take turns.
CALLS = [(case, dtype) for case in all_cases() for dtype in case.dtypes]
RUNS = [
    pytest.param(
        case,
        dtype,
        threads := (None, *case.block_sizes)[number % (1 + len(case.block_sizes))],
        schedule,
        id=f"{case.kernel.name}-{case.label}-{dtype}-{threads or ''}-{schedule}",
    )
    for number, ((case, dtype), schedule) in enumerate(zip(CALLS, cycle(SCHEDULES), strict=False))
]


@pytest.mark.parametrize(("case", "dtype", "threads", "schedule"), RUNS)
def test_kernel_is_right_and_clean(
    case: Case, dtype: str, threads: int | None, schedule: str
) -> None:
    check_case(case, dtype, HostDevice(threads, schedule))


@pytest.mark.parametrize("case", all_cases(), ids=lambda c: f"{c.kernel.name}-{c.label}")
def test_arrays_may_start_anywhere_and_grids_be_small(case: Case) -> None:
    for dtype in case.dtypes:
        check_case(case, dtype, HostDevice(schedule="random", most_blocks=2, offset=1))
