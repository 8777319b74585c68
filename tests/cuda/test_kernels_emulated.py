"""Every case of every kernel: launch code, NVRTC, PTX, NumPy."""

from __future__ import annotations

import pytest

from tests.cuda.cases.case import Case
from tests.cuda.cases.found import all_cases
from tests.cuda.emulated import EmulatedDevice
from tests.cuda.run_case import check_case


def _other(case: Case, number: int) -> int | None:
    """Block sizes take turns."""
    sizes = case.block_sizes
    return sizes[number % len(sizes)] if sizes else None


RUNS = [
    pytest.param(
        case, dtype, threads, id=f"{case.kernel.name}-{case.label}-{dtype}-{threads or ''}"
    )
    for number, (case, dtype) in enumerate((c, d) for c in all_cases() for d in c.dtypes)
    for threads in (None, _other(case, number))
]
"""As the launch code wants, and in another block size."""


@pytest.mark.parametrize(("case", "dtype", "threads"), RUNS)
def test_kernel_gives_what_its_reference_gives(case: Case, dtype: str, threads: int | None) -> None:
    check_case(case, dtype, EmulatedDevice(threads))


@pytest.mark.parametrize("case", all_cases(), ids=lambda c: f"{c.kernel.name}-{c.label}")
def test_arrays_may_start_anywhere_and_grids_be_small(case: Case) -> None:
    """No 16-byte accesses where addresses forbid them; rows beyond the grid are done as well."""
    for dtype in case.dtypes:
        check_case(case, dtype, EmulatedDevice(most_blocks=2, offset=1))


@pytest.mark.parametrize("architecture", [75, 90, 120])
def test_other_architectures_give_the_same(architecture: int) -> None:
    """Conversions are other instructions there: one case of each kernel, in every dtype."""
    largest = {case.kernel.name: case for case in all_cases()}
    for case in largest.values():
        for dtype in case.dtypes:
            check_case(case, dtype, EmulatedDevice(architecture=architecture))
