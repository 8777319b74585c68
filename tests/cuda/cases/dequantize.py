"""All whole numbers of 8 bits; any width; scales that are not numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.dequantize import dequantize
from tests.cuda.cases.case import Case
from tests.cuda.cases.values import INF, NAN, normal, numbers


def case(label: str, x: np.ndarray, scales: np.ndarray, **kwargs: Any) -> Case:
    return Case(dequantize, label, (x.astype(np.int8), scales.astype(np.float32)), **kwargs)


CASES = [
    *(
        case(f"{rows}x{width}", numbers(255, rows, width) - 127, normal(rows))
        for rows, width in ((0, 4), (3, 0), (1, 1), (5, 31), (5, 32), (6, 33), (9, 384))
    ),
    case("misaligned", numbers(255, 3, 32) - 127, normal(3), shifted=frozenset({0})),
    case("all numbers", np.arange(-128, 128).reshape(1, 256), np.array([0.25])),
    case("scales that are not numbers", numbers(3, 3, 8) - 1, np.array([NAN, INF, 0.0])),
    case("many rows", numbers(255, 600, 8) - 127, normal(600)),
]
