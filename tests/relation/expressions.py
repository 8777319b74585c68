"""Expressions over arrays, and the one check that all tests of the Python door share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpudb.backend import NumpyBackend
from gpudb.plan.node import Node
from gpudb.relation import TensorRelation
from gpudb.types import HostArray
from tests.dense import dense
from tests.tiny_plans import Arrays, compute


@dataclass
class ArrayEngine:
    """Computes expressions over arrays in memory, through the rules and real operators."""

    arrays: Arrays = field(default_factory=Arrays)
    backend: NumpyBackend = field(default_factory=NumpyBackend)

    def collect(self, plan: Node, sources: Mapping[str, Any]) -> HostArray:
        return compute(plan, self.arrays)

    def tensor(
        self,
        name: str,
        values: Any,
        block: tuple[int, ...] | None = None,
        sparse: bool = False,
    ) -> TensorRelation:
        scan = self.arrays.scan(name, np.asarray(values), block, sparse=sparse)
        return TensorRelation(scan, {}, self)

    def random(
        self,
        name: str,
        shape: tuple[int, ...],
        block: tuple[int, ...] | None = None,
        seed: int = 0,
    ) -> TensorRelation:
        """Standard normal float64."""
        values = np.random.default_rng([seed, len(name), *shape]).standard_normal(shape)
        return self.tensor(name, values, block)

    def __getitem__(self, name: str) -> HostArray:
        return self.arrays.dense[name]


def check(relation: TensorRelation, expected: Any, tolerance: float = 1e-12) -> None:
    """The plan means ``expected``, and computing it gives that.

    The tolerance is relative to elements of size 1 in float64: sums of at most some hundred terms
    of that size, in another order than NumPy's.
    """
    expected = np.asarray(expected)
    if expected.ndim == 0:
        expected = expected.reshape(1)
    assert relation.shape == expected.shape
    engine = relation.engine
    meant = dense(relation.plan, engine.arrays.dense)
    np.testing.assert_allclose(meant, expected, rtol=tolerance, atol=tolerance)
    found = relation.collect()
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert found.dtype.name == relation.dtype
