"""Row numbers that a join has decided are uploaded once, and freed with the plan."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpudb.exec.missing import dense_result
from gpudb.kernels.take_or_zero import take_or_zero
from gpudb.plan.node import Node
from gpudb.plan.reduce import Reduce, RowSoftmax
from gpudb.plan.relational import Aggregate, Join
from gpudb.plan.reshape import Slice, Transpose
from gpudb.plan.rules import RELATIONAL
from gpudb.plan.sequence import SequenceSoftmax
from gpudb.plan.tensor import Input, LayerNorm, Map, Reblock
from gpudb.types import TensorSchema
from tests.cuda.backends import emulated
from tests.dense import dense
from tests.tiny_plans import Arrays, prepared

X, V, S = (
    Input(TensorSchema.one_block(name, shape, "float32"))
    for name, shape in (("x", (11, 11)), ("v", (11,)), ("s", (11, 2, 11)))
)
CUT, VECTOR = Reblock(X, (4, 4)), Reblock(V, (4,))

PLANS: dict[str, Node] = {
    "product": Aggregate(Join(CUT, CUT, ((1, 0),), "matmul"), (0, 2), "sum"),
    "padding": Map(CUT, "exp"),
    "softmax": RowSoftmax(CUT),
    "layer norm": LayerNorm(CUT, VECTOR, VECTOR, 1e-5),
    "sequences": SequenceSoftmax(Reblock(S, (4, 1, 4)), (0, 3, 3, 8, 11)),
    "slice": Slice(Transpose(CUT, (1, 0)), (1, 2), (9, 11)),
    **{fn: Reduce(CUT, 1, fn) for fn in ("max", "norm", "variance", "argmax")},
}


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each array that has come from the host."""
    from tests.cuda.standin import array

    made: list[int] = []
    whole: Callable[..., None] = array.ndarray.set

    def counted(self: Any, values: Any, stream: Any = None) -> None:
        made.append(values.nbytes)
        whole(self, values, stream)

    monkeypatch.setattr(array.ndarray, "set", counted)
    return made


@pytest.mark.parametrize("name", PLANS)
def test_a_second_run_uploads_nothing(name: str, uploads: list[int]) -> None:
    random = np.random.default_rng(0)
    given = {n.tensor.name: random.standard_normal(n.tensor.numbers) for n in (X, V, S)}
    want = dense(PLANS[name], given)
    with emulated() as backend:
        inputs = {n: backend.to_device(x.astype(np.float32)) for n, x in given.items()}
        ready = prepared(PLANS[name], Arrays(), RELATIONAL, backend)
        uploads.clear()
        ready.run(inputs, {})
        assert uploads
        uploads.clear()
        result = ready.run(inputs, {})
        assert uploads == []
        found = dense_result(backend, result, ready.schema)
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
        assert backend._device._kept
        del ready, result
        gc.collect()
        assert not backend._device._kept


def test_numbers_that_somebody_may_change_are_uploaded_every_time(uploads: list[int]) -> None:
    rows = np.array([2, 0, 1])
    view = rows[:2]
    view.flags.writeable = False
    with emulated() as backend:
        x = backend.to_device(np.arange(3, dtype=np.float32))
        for changed in (2, 1):
            rows[0] = changed
            uploads.clear()
            for given in (rows, view):
                found = backend.to_host(backend.call(take_or_zero, x, given))
                assert found.tolist() == given.tolist()
            assert len(uploads) == 2
