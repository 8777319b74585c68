"""Arrays of a GPU coming in, and results going out as frames of cuDF."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import DeviceError, InputError, UnsupportedError
from gpudb.result import Result
from gpudb.types import STORAGE_DTYPES

VECTORS = [[1.0, -0.0], None, [np.inf, 3.0]]
TABLE = pa.table(
    {"id": [1, 2, 3], "text": ["a", None, "ü"], "v": pa.array(VECTORS, pa.list_(pa.float32(), 2))}
)


@pytest.fixture(name="cp")
def _cp() -> Iterator[Any]:
    from tests.cuda.standin.install import standin

    with standin() as module:
        yield module


@pytest.fixture(name="cudf")
def _cudf(cp: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cuDF whose frames are the Arrow tables that it was given."""
    module: Any = ModuleType("cudf")
    module.DataFrame = SimpleNamespace(from_arrow=lambda table: table)
    monkeypatch.setitem(sys.modules, "cudf", module)
    return module


@pytest.mark.parametrize("dtype", [d for d in STORAGE_DTYPES if d != "bfloat16"])
@pytest.mark.parametrize("device", ["numpy", "cuda"])
def test_an_array_of_cupy_is_stored(cp: Any, device: str, dtype: str) -> None:
    x = np.arange(12).reshape(3, 4).astype(dtype)
    with gpudb.connect(device=device, memory_limit="64MB") as db:
        found = db.create_tensor("x", cp.asarray(x), block=(2, 3), keys=["i", "k"])
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.collect(), x)
        db.create_tensor("t", cp.asarray(x).T)
        np.testing.assert_array_equal(db.tensor("t").collect(), x.T)


def test_an_array_of_another_library_is_stored(cp: Any) -> None:
    x = cp.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    other = SimpleNamespace(__cuda_array_interface__=x.__cuda_array_interface__, owner=x)
    with gpudb.connect(device="numpy") as db:
        np.testing.assert_array_equal(db.create_tensor("x", other).collect(), x.get())


def test_arrays_that_are_refused(cp: Any) -> None:
    with gpudb.connect(device="numpy") as db:
        with pytest.raises(InputError, match="found uint8"):
            db.create_tensor("x", cp.zeros(3, np.uint8))
        with pytest.raises(InputError, match="at least one axis"):
            db.create_tensor("x", cp.zeros((), np.float32))
        assert db.tensors() == []


def test_vectors_go_out_as_lists(cudf: Any) -> None:
    frame = Result(TABLE).cudf()
    assert frame.to_pydict() == TABLE.to_pydict()
    assert [str(t) for t in frame.schema.types] == ["int64", "string", "list<item: float>"]


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_go_out(cudf: Any, rows: int) -> None:
    chunks = pa.concat_tables([TABLE.slice(0, rows), TABLE.slice(3)])
    assert Result(chunks).cudf().to_pylist() == TABLE.slice(0, rows).to_pylist()


def test_columns_longer_than_cudf_takes(cudf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpudb.backend.cuda import frames

    monkeypatch.setattr(frames, "MAX_ELEMENTS", 6)
    Result(TABLE).cudf()
    monkeypatch.setattr(frames, "MAX_ELEMENTS", 5)
    with pytest.raises(DeviceError, match="'v' has 6 elements, cuDF takes 5"):
        Result(TABLE).cudf()


def test_what_cudf_has_no_type_for(cudf: Any) -> None:
    def refuse(table: pa.Table) -> None:
        raise NotImplementedError("no such type")

    cudf.DataFrame.from_arrow = refuse
    with pytest.raises(UnsupportedError, match=r"id int64, .*no such type.*cast in SQL"):
        Result(TABLE).cudf()


def test_names_that_are_there_twice(cudf: Any) -> None:
    twice = pa.table([[1], [2]], names=["a", "a"])
    with pytest.raises(InputError, match="2 columns are called 'a'"):
        Result(twice).cudf()


def test_cudf_that_is_not_installed(cp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudf", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'gpudb-tensor\[cu13\]'"):
        Result(TABLE).cudf()


@pytest.fixture(name="gpu")
def _gpu() -> Any:
    """The real libraries on a real GPU."""
    return SimpleNamespace(cudf=pytest.importorskip("cudf"), cp=pytest.importorskip("cupy"))


@pytest.mark.gpu
def test_results_are_frames_of_cudf(gpu: Any) -> None:
    frame = Result(TABLE).cudf()
    assert isinstance(frame, gpu.cudf.DataFrame)
    assert frame.to_arrow(preserve_index=False).to_pydict() == TABLE.to_pydict()
    assert str(frame["v"].dtype.element_type) == "float32"
    assert len(Result(TABLE.slice(3)).cudf()) == 0


@pytest.mark.gpu
def test_tables_of_cudf_come_in(gpu: Any) -> None:
    columns = {"id": [1, 2, 3], "text": ["ä", None, ""], "v": [[1.0], [], [2.0, 3.0]]}
    frame = gpu.cudf.DataFrame.from_arrow(pa.table(columns))
    frame.index = [7, 8, 9]
    with gpudb.connect(device="cuda") as db:
        db.create_table("t", frame)
        assert db.sql("FROM t ORDER BY id").arrow().to_pydict() == columns


@pytest.mark.gpu
def test_columns_of_cudf_are_embedded_and_inferred(gpu: Any, minilm_folder: Any) -> None:
    texts, ids = ["one", None, "and two"], [[101, 2028, 102], [], [101, 102]]
    with gpudb.connect(device="cuda") as db:
        db.import_model(minilm_folder, "minilm")
        expected = db.embed("minilm", texts).numpy("embedding")
        for column in (gpu.cudf.Series(texts), gpu.cudf.Series(texts).astype("category")):
            found = db.embed("minilm", column).numpy("embedding")
            np.testing.assert_array_equal(found, expected)
        hidden, _ = db.infer("minilm", ids)
        found, _ = db.infer("minilm", gpu.cudf.Series(ids))
        np.testing.assert_array_equal(found, hidden)


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["numpy", "cuda"])
def test_arrays_on_a_gpu_are_stored(gpu: Any, device: str) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    with gpudb.connect(device=device) as db:
        for name, array in (("c", gpu.cp.asarray(x)), ("t", gpu.cp.asarray(x.T.copy()).T)):
            np.testing.assert_array_equal(db.create_tensor(name, array).collect(), x)
        series = gpu.cudf.Series(x[0])
        np.testing.assert_array_equal(db.create_tensor("s", series).collect(), x[0])
        with pytest.raises(InputError, match="does not become an array"):
            db.create_tensor("f", gpu.cudf.DataFrame({"a": x[0]}))
