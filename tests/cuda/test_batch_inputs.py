"""What a model's batch reads on the device: LIST columns, for no more launches or copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.backend import open_backend
from tests.cuda.backends import emulated

OFFSETS = np.array([0, 2, 2, 5], np.int32)


def test_uploading_a_batch_is_one_copy_for_each_input(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "token_ids": np.arange(5, dtype=np.int32),
        "position_ids": np.array([0, 1, 0, 1, 2], np.int32),
        "sequences": OFFSETS,
    }
    with emulated() as backend:
        import cupy as cp

        from gpudb.backend.cuda.columns import sequence_views
        from tests.cuda.standin import streams

        submitted: list[Any] = []
        submit = streams.submit
        monkeypatch.setattr(
            streams, "submit", lambda work, *to: (submitted.append(work), submit(work, *to))[1]
        )
        waited: list[Any] = []
        stream = type(cp.cuda.get_current_stream())
        monkeypatch.setattr(stream, "synchronize", lambda self: waited.append(self))
        inputs = backend.upload(given, "sequences")
        assert len(submitted) == len(given)
        assert not waited
        monkeypatch.undo()
        for name in ("token_ids", "position_ids"):
            values, offsets = sequence_views(inputs.columns[name], "int32")
            np.testing.assert_array_equal(values.get(), given[name])
            np.testing.assert_array_equal(offsets.get(), OFFSETS)
            assert values.data.ptr == inputs[name].data.ptr


@pytest.mark.parametrize("profile", [False, True], ids=["recorded", "step by step"])
def test_an_encoder_reads_columns(
    minilm_folder: Any, monkeypatch: pytest.MonkeyPatch, profile: bool
) -> None:
    from tests.cuda.standin.install import standin

    with standin(), gpudb.connect(device="cuda", memory_limit="512MB") as db:
        from gpudb.backend.cuda.sequences import Sequences

        db.import_model(minilm_folder, "minilm")
        db.set(profile=profile)
        made: list[Sequences] = []
        of = Sequences.of
        monkeypatch.setattr(Sequences, "of", lambda *a: (made.append(of(*a)), made[-1])[1])
        db.embed("minilm", ["one", "and another"])
        (inputs,) = made
        assert set(inputs.columns) == {"token_ids", "type_ids", "position_ids"}


@pytest.mark.gpu
def test_cudf_reads_the_inputs_of_a_batch() -> None:
    cudf = pytest.importorskip("cudf")
    given = {"token_ids": np.arange(7, dtype=np.int32), "sequences": OFFSETS}
    inputs: Any = open_backend("cuda").upload(given, "sequences")
    series = cudf.Series.from_pylibcudf(inputs.columns["token_ids"])
    assert series.to_arrow().to_pylist() == [[0, 1], [], [2, 3, 4]]


@pytest.mark.gpu
def test_cudf_reads_rows_of_numbers() -> None:
    cudf = pytest.importorskip("cudf")
    given = {"rows": np.arange(10, dtype=np.float32).reshape(5, 2), "sequences": OFFSETS}
    inputs: Any = open_backend("cuda").upload(given, "sequences")
    series = cudf.Series.from_pylibcudf(inputs.columns["rows"])
    assert series.to_arrow().to_pylist() == [[[0, 1], [2, 3]], [], [[4, 5], [6, 7], [8, 9]]]
