"""Every case of every kernel on a GPU: the same as with the PTX emulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda.cases.case import Case
from tests.cuda.run_case import check_case
from tests.cuda.test_kernels_emulated import RUNS

pytestmark = pytest.mark.gpu


def _device(threads: int | None) -> Any:
    import cupy as cp

    from gpudb.backend.cuda.device import CudaDevice

    class Gpu(CudaDevice):
        """The production device, which also takes arrays from tests."""

        def asarray(self, x: Any) -> Any:
            return cp.asarray(np.array(x, order="K"))

        def block_size(self, wanted: int) -> int:
            return threads or wanted

    return Gpu()


@pytest.mark.parametrize(("case", "dtype", "threads"), RUNS)
def test_kernel_gives_what_its_reference_gives(case: Case, dtype: str, threads: int | None) -> None:
    check_case(case, dtype, _device(threads))
