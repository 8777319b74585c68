"""Importing a checkpoint: every weight in its place, all of it or nothing."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.errors import CheckpointError, GpudbError, UnsupportedError
from gpudb.models import importer
from gpudb.types import HostArray
from tests.tiny_model import CONFIG, WORDS, tiny_weights, write_tiny_model

TEXTS = ["the cat sat on the mat", "a", "", "dogs ran", "the dog"]
WORD_ROWS = "embeddings.word_embeddings.weight"
GAMMA = "encoder.layer.1.output.LayerNorm.weight"
QUERY = "encoder.layer.0.attention.self.query.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


def open_tiny(tmp_path: Path) -> gpudb.Database:
    return gpudb.connect(tmp_path / "db", device="numpy", threads=2)


def everything(db: gpudb.Database) -> object:
    """All that is stored: page files, and rows of the catalog."""
    names = ("models", "versions", "tensors", "partitions", "blocks", "pages")
    rows = [sorted(db.sql(f"SELECT * FROM gpudb.{n}").fetchall(), key=repr) for n in names]
    files = sorted((p.name, p.stat().st_size) for p in (db.folder / "pages").rglob("*.*"))
    return rows, files


def write_config(folder: Path, **changes: object) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))


def write_bfloat16(path: Path, arrays: Mapping[str, HostArray]) -> None:
    """A safetensors file of the upper halves of float32 numbers, which NumPy has no type for."""
    header, data = {}, b""
    for name, values in arrays.items():
        bits = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        offsets = [len(data), len(data) + len(bits)]
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": offsets}
        data += bits
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_shards(folder: Path, arrays: Mapping[str, HostArray], count: int) -> None:
    """The weights dealt out to ``count`` files with an index."""
    names = list(arrays)
    places = {n: f"model-{i % count + 1:05}-of-{count:05}.safetensors" for i, n in enumerate(names)}
    for file in sorted(set(places.values())):
        save_file({n: arrays[n] for n in names if places[n] == file}, folder / file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()


def test_the_report_counts_what_was_stored(folder: Path, tmp_path: Path) -> None:
    arrays = tiny_weights()
    with open_tiny(tmp_path) as db:
        report = db.import_model(folder, "tiny")
        assert (report.name, report.version, report.architecture) == ("tiny", 1, "bert")
        assert report.tensors == len(arrays)
        assert report.parameters == sum(a.size for a in arrays.values())
        assert report.nbytes == sum(a.nbytes for a in arrays.values())
        assert (report.ignored, report.nonfinite) == ((), {})
        stored = db.sql("SELECT count(*), sum(elements), sum(blocks) FROM gpudb.tensors").fetchone()
        assert stored == (report.tensors, report.parameters, report.blocks)
        assert report.new_nbytes == db.sql("SELECT sum(bytes) FROM gpudb.pages").fetchone()[0]


@pytest.mark.parametrize("block", [None, (1, 1), (5, 7), (64, 3), (1000, 1000)], ids=str)
def test_every_weight_is_stored_bit_by_bit(
    folder: Path, tmp_path: Path, block: tuple[int, int] | None
) -> None:
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "tiny", block=block)
        for name, values in tiny_weights().items():
            np.testing.assert_array_equal(db.tensor(name, model="tiny").collect(), values, name)


def test_blocks_of_any_shape_give_the_same_vectors(folder: Path, tmp_path: Path) -> None:
    with open_tiny(tmp_path) as db:
        for name, block in (("panels", None), ("odd", (5, 7)), ("wide", (3, 1000))):
            db.import_model(folder, name, block=block)
        panels, *others = (db.embed(m, TEXTS).numpy("embedding") for m in ("panels", "odd", "wide"))
    for other in others:
        np.testing.assert_allclose(other, panels, atol=1e-6)  # summed in another order


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_weights_are_kept_half_and_computed_wide(
    folder: Path, tmp_path: Path, dtype: str
) -> None:
    arrays = tiny_weights()
    file = folder / "model.safetensors"
    if dtype == "float16":
        half = {n: a.astype(np.float16) for n, a in arrays.items()}
        save_file(half, file)
        wide = {n: a.astype(np.float32) for n, a in half.items()}
    else:
        write_bfloat16(file, arrays)
        cut = {n: a.view(np.uint32) & np.uint32(0xFFFF0000) for n, a in arrays.items()}
        wide = {n: a.view(np.float32) for n, a in cut.items()}
    with open_tiny(tmp_path) as db:
        report = db.import_model(folder, "half")
        assert report.nbytes == 2 * report.parameters
        assert db.sql("SELECT DISTINCT dtype FROM gpudb.tensors").fetchall() == [(dtype,)]
        np.testing.assert_array_equal(db.tensor(QUERY, model="half").collect(), wide[QUERY])
        save_file(wide, file)
        db.import_model(folder, "wide")
        half_vectors, wide_vectors = (
            db.embed(name, TEXTS).numpy("embedding") for name in ("half", "wide")
        )
    np.testing.assert_allclose(half_vectors, wide_vectors, atol=1e-6)


def test_shards_are_one_model(folder: Path, tmp_path: Path) -> None:
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "whole")
        write_shards(folder, tiny_weights(), 3)
        report = db.import_model(folder, "sharded")
        assert report.new_nbytes == 0
        whole, sharded = (db.embed(m, TEXTS).numpy("embedding") for m in ("whole", "sharded"))
    np.testing.assert_array_equal(sharded, whole)


@pytest.mark.parametrize("prefix", ["bert.", "model.", "0.auto_model."])
def test_prefixes_heads_and_old_names_of_checkpoints(
    folder: Path, tmp_path: Path, prefix: str
) -> None:
    old = {".LayerNorm.weight": ".LayerNorm.gamma", ".LayerNorm.bias": ".LayerNorm.beta"}
    arrays = {}
    for name, values in tiny_weights().items():
        for new, before in old.items():
            name = name.replace(new, before)
        arrays[prefix + name] = values
    unused = {
        "cls.predictions.bias": np.zeros(15, np.float32),
        f"{prefix}pooler.dense.weight": np.zeros((24, 24), np.float32),
        f"{prefix}embeddings.position_ids": np.zeros((1, 12), np.int64),
    }
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "plain")
        save_file({**arrays, **unused}, folder / "model.safetensors")
        report = db.import_model(folder, "prefixed")
        assert set(report.ignored) == set(unused)
        assert report.new_nbytes == 0


def test_all_that_does_not_fit_is_in_one_error(folder: Path, tmp_path: Path) -> None:
    arrays = tiny_weights()
    del arrays[GAMMA]
    arrays["encoder.layer.7.output.dense.bias"] = np.zeros(24, np.float32)
    arrays[WORD_ROWS] = arrays[WORD_ROWS][:-1]
    arrays[QUERY] = arrays[QUERY].astype(np.int32)
    arrays["bert.embeddings.LayerNorm.bias"] = np.zeros(24, np.float32)
    save_file(arrays, folder / "model.safetensors")
    with open_tiny(tmp_path) as db:
        before = everything(db)
        with pytest.raises(CheckpointError) as caught:
            db.import_model(folder, "tiny")
        assert everything(db) == before
        assert db.models() == []
    message = str(caught.value)
    for line in (
        f"missing: {GAMMA} [24]",
        "unexpected: encoder.layer.7.output.dense.bias [24]",
        f"misshapen: {WORD_ROWS} is [14, 24], expected [15, 24]",
        f"dtype: {QUERY} is int32, expected one of float32, float16, bfloat16",
        "twice: ",
        "nothing was imported",
    ):
        assert line in message
    assert len(message.splitlines()) == 6


def test_numbers_that_are_none_are_counted_by_tensor(folder: Path, tmp_path: Path) -> None:
    arrays = tiny_weights()
    arrays[GAMMA][3] = np.nan
    arrays[QUERY][0, :2] = np.inf, -np.inf
    save_file(arrays, folder / "model.safetensors")
    with open_tiny(tmp_path) as db:
        before = everything(db)
        with pytest.raises(CheckpointError, match="NaN or infinity") as caught:
            db.import_model(folder, "tiny")
        assert f"{GAMMA} (1)" in str(caught.value)
        assert f"{QUERY} (2)" in str(caught.value)
        assert everything(db) == before
        report = db.import_model(folder, "tiny", allow_nonfinite=True)
        assert report.nonfinite == {GAMMA: 1, QUERY: 2}
        stored = db.tensor(QUERY, model="tiny").collect()
        np.testing.assert_array_equal(stored, arrays[QUERY])


def test_infinite_bfloat16_is_found(folder: Path, tmp_path: Path) -> None:
    arrays = tiny_weights()
    arrays[GAMMA][:] = np.inf
    write_bfloat16(folder / "model.safetensors", arrays)
    with (
        open_tiny(tmp_path) as db,
        pytest.raises(CheckpointError, match=r"LayerNorm.weight \(24\)"),
    ):
        db.import_model(folder, "tiny")


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _configure(**changes: object) -> Callable[[Path], object]:
    return lambda folder: write_config(folder, **changes)


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def _header(position: int, value: bytes) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        content = bytearray((folder / "model.safetensors").read_bytes())
        content[position : position + len(value)] = value
        (folder / "model.safetensors").write_bytes(content)

    return damage


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": os.getcwd}))


def _words(*words: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "vocab.txt").write_text("\n".join(words))


DAMAGE: dict[str, tuple[Callable[[Path], object], type[GpudbError], str]] = {
    "no config": (_remove("config.json"), CheckpointError, "no config.json"),
    "no weights": (_remove("model.safetensors"), CheckpointError, "found no weights; expected"),
    "cut": (_cut, CheckpointError, "ends at byte"),
    "header length": (_header(0, b"\xff" * 8), CheckpointError, "a header of"),
    "header text": (_header(8, b"!"), CheckpointError, "not JSON"),
    "pickle": (_pickle, UnsupportedError, r"pytorch_model\.bin.*getcwd.*not loaded"),
    "unknown": (
        _configure(model_type="gpt2"),
        UnsupportedError,
        "'gpt2'; gpudb knows ",
    ),
    "no type": (_configure(model_type=None), CheckpointError, "model_type is None"),
    "decoder": (_configure(is_decoder=True), UnsupportedError, "a decoder"),
    "positions": (_configure(position_embedding_type="relative_key"), UnsupportedError, "absolute"),
    "heads": (_configure(num_attention_heads=5), CheckpointError, "does not divide the width 24"),
    "width": (_configure(hidden_size="24"), CheckpointError, "hidden_size is '24'"),
    "layers": (_configure(num_hidden_layers=0), CheckpointError, "num_hidden_layers is 0"),
    "true": (_configure(vocab_size=True), CheckpointError, "vocab_size is True"),
    "function": (_configure(hidden_act="mish"), CheckpointError, "hidden_act is 'mish'"),
    "eps": (_configure(layer_norm_eps=0), CheckpointError, "layer_norm_eps is 0"),
    "infinite eps": (_configure(layer_norm_eps=float("inf")), CheckpointError, "eps is inf"),
    "dropout": (_configure(hidden_dropout_prob="x"), CheckpointError, "hidden_dropout_prob is 'x'"),
    "words": (_words(*WORDS, "more"), CheckpointError, "ids up to 15.*vocabulary has 15"),
    "no [CLS]": (_words("[UNK]", "[SEP]", "a"), CheckpointError, r"'\[CLS\]' is not among"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_one_error_and_changes_nothing(case: str, folder: Path, tmp_path: Path) -> None:
    damage, kind, message = DAMAGE[case]
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "tiny")
        damage(folder)
        before = everything(db)
        with pytest.raises(kind, match=f"(?s){message}") as caught:
            db.import_model(folder, "tiny")
        assert type(caught.value) is kind
        assert everything(db) == before
        assert db.embed("tiny", TEXTS).stats.model == "tiny@1"


def test_a_tokenizer_with_gaps_in_its_ids_is_refused(folder: Path, tmp_path: Path) -> None:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = {
        "version": "1.0",
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {**vocabulary, "mat": 900}},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with open_tiny(tmp_path) as db, pytest.raises(CheckpointError, match="ids up to 900"):
        db.import_model(folder, "tiny")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, told apart from one that a person presses while the tests run."""


@pytest.mark.parametrize("after", [0, 1, 20, 36])
def test_an_interrupt_in_the_middle_changes_nothing(
    after: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = importer.Weight.array
    read = 0

    def interrupted(weight: Any) -> HostArray:
        nonlocal read
        read += 1
        if read > len(tiny_weights()) + after:  # all are read once to look for NaN
            raise Interrupted
        return kept(weight)

    other = write_tiny_model(tmp_path / "other", seed=1)
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "tiny")
        before = everything(db)
        with monkeypatch.context() as patch:
            patch.setattr(importer.Weight, "array", interrupted)
            with pytest.raises(Interrupted):
                db.import_model(other, "tiny")
        db.vacuum()
        assert everything(db) == before
        assert db.import_model(other, "tiny").version == 2


def test_one_changed_weight_costs_its_blocks_only(folder: Path, tmp_path: Path) -> None:
    arrays = tiny_weights()
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "tiny", block=(8, 24))
        arrays[QUERY][0, 0] += 1
        save_file(arrays, folder / "model.safetensors")
        report = db.import_model(folder, "tiny", block=(8, 24))
        assert report.version == 2
        # One page with one block of 8 × 24 numbers, and what the file format adds.
        assert 8 * 24 * 4 <= report.new_nbytes < 8 * 24 * 4 + 4096
        changed = db.sql(
            "SELECT count(*) FROM (SELECT page, row FROM gpudb.blocks GROUP BY page, row "
            "HAVING count(DISTINCT version) = 1)"
        ).fetchone()
        assert changed == (2,)  # the old and the new form of that block


def test_versions_stay_what_they_were(folder: Path, tmp_path: Path) -> None:
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "tiny")
        first = db.embed("tiny", TEXTS).numpy("embedding")
        db.import_model(write_tiny_model(tmp_path / "other", seed=1), "tiny")
        assert np.abs(db.embed("tiny", TEXTS).numpy("embedding") - first).max() > 1e-3
        np.testing.assert_array_equal(db.embed("tiny@1", TEXTS).numpy("embedding"), first)
    with open_tiny(tmp_path) as db:
        np.testing.assert_array_equal(db.embed("tiny@1", TEXTS).numpy("embedding"), first)


def test_the_stored_plan_is_data(folder: Path, tmp_path: Path) -> None:
    with open_tiny(tmp_path) as db:
        db.import_model(folder, "tiny")
        version = db._library.encoder("tiny").version
    plan = json.loads(version.plan)
    assert isinstance(plan["format"], int)
    assert {"Dropout", "Softmax", "LayerNorm"} <= {node["op"] for node in plan["nodes"]}
