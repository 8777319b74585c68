"""Both dtypes of results; none, one, and more elements than a block has threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.variance_of_moments import variance_of_moments
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal

STATES = [normal(0, 2, 3), normal(1, 2), normal(2, 2, 3), normal(3, 2, 5, 31), normal(2, 2, 0)]


def case(states: Any, result: str, label: str) -> Case:
    args = (states, 7, result)
    return Case(variance_of_moments, f"{label}, {result}", args, (result,), wide=frozenset({0}))


CASES = [
    *(case(states, result, str(states.shape)) for states in STATES for result in REAL),
    *(case(np.stack([-EXTREMES, EXTREMES], 1), result, "extremes") for result in REAL),
]
