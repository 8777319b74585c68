"""Weights rounded at import: what is stored, what it gives, and how far it is from what came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.backend.jit.packing import pack
from gpudb.backend.jit.target import TARGET
from gpudb.errors import CheckpointError, InputError
from gpudb.exec import placement, weights
from gpudb.models.architectures import find_architecture
from gpudb.models.formats.weight import Weight
from gpudb.models.weight_dtypes import PIECE_NBYTES, Converted, converted, stored_weight
from gpudb.types import HostArray, widen
from tests.tiny_model import tiny_weights, write_tiny_model
from tests.tiny_plans import DEBERTA_CONFIG, MPNET_CONFIG, T5_CONFIG, TORCH_CONFIG

TEXTS = ["the cat sat on the mat", "a", "", "dogs ran", "the dog"]
WORDS = "embeddings.word_embeddings.weight"
QUERY = "encoder.layer.0.attention.self.query.weight"
GAMMA = "encoder.layer.1.output.LayerNorm.weight"
HALVES = ("float16", "bfloat16")
OTHERS = {
    "deberta-v2": DEBERTA_CONFIG,
    "mpnet": MPNET_CONFIG,
    "t5": T5_CONFIG,
    "torch.nn.TransformerEncoder": TORCH_CONFIG,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as found:
        yield found


def vectors(db: gpudb.Database, model: str) -> HostArray:
    found: HostArray = db.embed(model, TEXTS).numpy("embedding")
    return found


def rounded(values: HostArray, dtype: str) -> Converted:
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    weight = Weight("w", values.dtype.name, values.shape, Path("w"), data)
    return converted(stored_weight("w", weight, None, dtype))


def as_numbers(
    db: gpudb.Database, model: str, names: Iterable[str] = tiny_weights()
) -> dict[str, HostArray]:
    """What the stored weights of a model stand for, in float32."""
    numbers = {}
    for name in names:
        stored = db.tensor(name, model=model).collect()
        if stored.dtype == np.int8:
            scales = db.tensor(f"{name}.scales", model=model).collect()
            assert scales.dtype == np.float32
            stored = stored * scales
        numbers[name] = stored.astype(np.float32)
    return numbers


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (3, 8), (0, 4), (PIECE_NBYTES // 4, 2)])
def test_int8_is_the_nearest_step_of_the_row(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x[: len(x) // 2] = 0
    (steps, scales), error = rounded(x, "int8").values, rounded(x, "int8").error
    assert (steps.dtype, scales.dtype, scales.shape) == (np.int8, np.float32, (shape[0], 1))
    assert abs(steps.astype(int)).max(initial=0) <= 127
    expected = abs(x).max(axis=1, keepdims=True, initial=0) / 127
    np.testing.assert_allclose(scales[len(x) // 2 :], expected[len(x) // 2 :], rtol=1e-6)
    back = steps * scales.astype(np.float64)
    assert (abs(back - x) <= scales * 0.5001).all()
    norm = np.linalg.norm(x.astype(np.float64))
    expected_error = np.linalg.norm(back - x) / norm if norm else 0
    assert error == pytest.approx(expected_error, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("dtype", HALVES)
def test_halves_are_rounded_to_nearest_even(dtype: str) -> None:
    exponents = np.random.default_rng(0).integers(-12, 12, (40, 30))
    x = (np.random.default_rng(1).standard_normal((40, 30)) * 2.0**exponents).astype(np.float32)
    x[0, :4] = 1 + 2**-9, 1 + 3 * 2**-9, -0.0, 1 + 2**-12  # ties for one of the two, and -0
    found = rounded(x, dtype)
    wide = widen(found.values[0], dtype)
    assert np.signbit(wide[0, 2])
    digits = {"float16": 11, "bfloat16": 8}[dtype]
    # Round half to even, in exact arithmetic of doubles.
    fraction, exponent = np.frexp(x.astype(np.float64))
    expected = np.ldexp(np.rint(np.ldexp(fraction, digits)), exponent - digits)
    normal = abs(x) > 2**-14
    np.testing.assert_array_equal(wide[normal], expected[normal])
    assert found.error == pytest.approx(
        np.linalg.norm(wide - x.astype(np.float64)) / np.linalg.norm(x), rel=1e-5
    )


@pytest.mark.parametrize("dtype", ["float32", *HALVES, "int8"])
def test_the_model_is_that_of_its_rounded_weights(
    folder: Path, tmp_path: Path, db: gpudb.Database, dtype: str
) -> None:
    report = db.import_model(folder, "rounded", dtype=dtype)
    kinds = dict(db.sql("SELECT name, dtype FROM gpudb.tensors").fetchall())
    assert {kinds[name] for name, x in tiny_weights().items() if x.ndim == 2} == {dtype}
    assert {kinds[name] for name, x in tiny_weights().items() if x.ndim == 1} == {"float32"}
    assert db.sql("SELECT dtype FROM gpudb.models").fetchone() == (dtype,)
    save_file(as_numbers(db, "rounded"), folder / "model.safetensors")
    db.import_model(folder, "wide")
    np.testing.assert_array_equal(vectors(db, "rounded"), vectors(db, "wide"))
    sizes = dict(db.sql("SELECT dtype, sum(bytes) FROM gpudb.tensors GROUP BY 1").fetchall())
    if dtype != "float32":
        assert report.dtypes[dtype] == sizes[dtype]
    assert sum(report.dtypes.values()) == report.nbytes


@pytest.mark.parametrize("device", ["numpy", "jit"])
@pytest.mark.parametrize("kind", OTHERS)
def test_other_architectures_in_int8(tmp_path: Path, kind: str, device: str) -> None:
    """Relative positions, gathered tables and merged projections are read the same way."""
    config = {**OTHERS[kind], "model_type": kind}
    architecture = find_architecture(config)
    random = np.random.default_rng(0)
    arrays = {
        name: random.standard_normal(shape).astype(np.float32)
        for name, shape in architecture.weights(config).items()
    }
    offsets = np.array([0, 1, 6, 9])
    inputs: dict[str, HostArray] = {"token_ids": random.integers(0, 20, 9)}
    if architecture.reads == "rows":
        inputs = {"rows": random.standard_normal((9, 8)).astype(np.float32)}
    found = []
    with gpudb.connect(tmp_path / "db", device=device, threads=1) as db:
        (tmp_path / "config.json").write_text(json.dumps(config))
        for name, dtype in (("rounded", "int8"), ("wide", None)):
            save_file(arrays, tmp_path / "model.safetensors")
            db.import_model(tmp_path, name, dtype=dtype)
            arrays = as_numbers(db, name, arrays)
            found.append(db.infer(name, inputs, offsets)[0])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


@pytest.mark.parametrize("block", [(5, 7), (64, 3), (1000, 1000)], ids=str)
@pytest.mark.parametrize("execution", ["fused", "relational"])
def test_int8_in_blocks_of_any_shape(
    folder: Path, db: gpudb.Database, block: tuple[int, int], execution: str
) -> None:
    db.import_model(folder, "panels", dtype="int8")
    db.import_model(folder, "blocks", dtype="int8", block=block)
    expected = vectors(db, "panels")
    db.set(execution=execution, block_size=8)
    np.testing.assert_allclose(vectors(db, "blocks"), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("device", "execution"), [("numpy", "fused"), ("numpy", "relational"), ("jit", "fused")]
)
def test_int8_is_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, execution: str
) -> None:
    """Whole weights, and the table of words in panels, their scales with them."""
    for module in (placement, weights):
        monkeypatch.setattr(module, "SMALL_NBYTES", 0)
    large = {"vocab_size": 2000, "num_hidden_layers": 3}
    with gpudb.connect(tmp_path / "db", device=device) as db:
        model = write_tiny_model(tmp_path / "model", **large)
        db.import_model(model, "tiny", dtype="int8", block=(32, 24))
        db.set(execution=execution)
        everything = db.embed("tiny", TEXTS)
    needed = everything.stats.placement
    limit = needed.held_nbytes + needed.run_nbytes // 2
    for most in range(limit, 0, -limit // 20):
        with gpudb.connect(tmp_path / "db", device=device, memory_limit=most) as db:
            db.set(execution=execution)
            found = db.embed("tiny", TEXTS)
        placed = found.stats.placement
        if placed.mode == "streamed" and (execution == "relational" or placed.panel_nbytes):
            break
    assert placed.mode == "streamed"
    assert execution == "relational" or placed.panel_nbytes
    assert found.stats.peak_nbytes <= placed.needed_nbytes <= most
    np.testing.assert_allclose(
        found.numpy("embedding"), everything.numpy("embedding"), atol=1e-6, rtol=0
    )


def test_shapes_of_int8_without_numbers(folder: Path, tmp_path: Path) -> None:
    with gpudb.connect(tmp_path / "db", device="null") as db:
        db.import_model(folder, "tiny", dtype="int8")
        assert vectors(db, "tiny").shape == (len(TEXTS), 24)


@pytest.mark.skipif(not TARGET.int8, reason=f"{TARGET.name} does not multiply int8")
def test_precision_int8_multiplies_by_the_stored_steps() -> None:
    """Rounding what int8 weights stand for once more gives the same steps."""
    x = np.random.default_rng(0).standard_normal((33, 70)).astype(np.float32)
    steps, scales = rounded(x, "int8").values
    packed = pack(steps * scales, "int8")
    np.testing.assert_allclose(packed.scales[:33], scales[:, 0], rtol=2e-7)
    np.testing.assert_array_equal(packed.sums[:33], steps.sum(axis=1, dtype=np.int32))


def test_errors_and_cosines_are_in_the_catalog(folder: Path, db: gpudb.Database) -> None:
    db.import_model(folder, "exact")
    report = db.import_model(folder, "rounded", dtype="int8")
    stored = as_numbers(db, "rounded")
    errors = dict(
        db.sql("SELECT name, error FROM gpudb.tensors WHERE model = 'rounded'").fetchall()
    )
    for name, x in tiny_weights().items():
        if x.ndim == 1:
            assert errors[name] is None
        else:
            expected = np.linalg.norm(stored[name] - x) / np.linalg.norm(x)
            assert errors[name] == report.errors[name] == pytest.approx(expected, rel=1e-4)
            assert errors[f"{name}.scales"] is None
    columns = "error, mean_cosine, least_cosine"
    listed = db.sql(f"SELECT {columns} FROM gpudb.models ORDER BY model").fetchall()
    assert listed[0] == (None, None, None)
    assert report.cosines is not None
    assert listed[1] == (max(report.errors.values()), report.cosines.mean, report.cosines.least)
    assert 0.99 < report.cosines.least <= report.cosines.mean < 1
    described = db.describe("rounded")
    assert dict(zip(described.numpy("name"), described.numpy("error"), strict=True))[QUERY] > 0


def test_cosines_are_those_of_the_two_models(folder: Path, db: gpudb.Database) -> None:
    from gpudb.models.accuracy import TEXTS

    db.import_model(folder, "exact")
    report = db.import_model(folder, "rounded", dtype="bfloat16")
    a, b = (db.embed(m, list(TEXTS)).numpy("embedding") for m in ("exact", "rounded"))
    assert report.cosines is not None
    assert report.cosines.least == pytest.approx((a * b).sum(axis=1).min(), abs=1e-6)
    assert report.cosines.mean == pytest.approx((a * b).sum(axis=1).mean(), abs=1e-6)


def test_a_model_that_does_not_fit_is_imported_without_cosines(
    folder: Path, tmp_path: Path
) -> None:
    with gpudb.connect(tmp_path / "db", device="numpy", memory_limit=2000) as db:
        report = db.import_model(folder, "rounded", dtype="int8")
    assert report.errors
    assert report.cosines is None


def test_equal_blocks_are_stored_once(folder: Path, db: gpudb.Database) -> None:
    first = db.import_model(folder, "one", dtype="int8")
    again = db.import_model(folder, "two", dtype="int8")
    assert first.new_nbytes > 0
    assert again.new_nbytes == 0


def changed(folder: Path, name: str, **values: Any) -> None:
    arrays = tiny_weights()
    arrays[name].reshape(-1)[: len(values["first"])] = values["first"]
    save_file(arrays, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("dtype", "first", "count"),
    [
        ("float16", [65519.99, 65520, -1e6], 2),
        ("bfloat16", [3.3895e38, 3.4e38], 1),
    ],
)
def test_numbers_out_of_range_are_refused_with_counts(
    folder: Path, db: gpudb.Database, dtype: str, first: list[float], count: int
) -> None:
    changed(folder, QUERY, first=first)
    with pytest.raises(CheckpointError, match=rf"out of range.*{QUERY} \({count}\)") as caught:
        db.import_model(folder, "tiny", dtype=dtype)
    assert "dtype=None" in str(caught.value)
    assert db.models() == []
    changed(folder, GAMMA, first=first)  # a vector keeps its dtype
    db.import_model(folder, "tiny", dtype=dtype)


def test_int8_has_no_nan(folder: Path, db: gpudb.Database) -> None:
    changed(folder, WORDS, first=[np.nan, np.inf])
    with pytest.raises(CheckpointError, match=rf"not finite.*int8.*{WORDS} \(2\)"):
        db.import_model(folder, "tiny", dtype="int8", allow_nonfinite=True)
    report = db.import_model(folder, "tiny", dtype="bfloat16", allow_nonfinite=True)
    assert 0 < report.errors[WORDS] < 0.01  # of the finite elements
    stored = db.tensor(WORDS, model="tiny").collect()
    assert np.isnan(stored[0, 0])
    assert stored[0, 1] == np.inf


@pytest.mark.parametrize("dtype", ["int4", "float64", "", 8])
def test_dtypes_that_are_none(folder: Path, db: gpudb.Database, dtype: Any) -> None:
    with pytest.raises(InputError, match="expected one of float32, float16, bfloat16, int8"):
        db.import_model(folder, "tiny", dtype=dtype)


def test_explain_names_the_scales(folder: Path, db: gpudb.Database) -> None:
    db.import_model(folder, "tiny", dtype="int8")
    text = db.explain("tiny", stored=True)
    assert f"{QUERY} * scales" in text
    assert "LinearGemm" in text
