"""A model that runs: numbers, batches, threads, memory, and what is done once only."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.backend import NullBackend
from gpudb.embed_options import LEAST_NORM
from gpudb.errors import CatalogError, InputError, MemoryBudgetError, UnsupportedError
from gpudb.exec.operator import PhysicalOp
from gpudb.exec.weights import ResidentWeights
from gpudb.models import encoder as encoder_module
from gpudb.models.batches import Batch, plan_batches, sizes_of_lengths
from gpudb.models.encoder import HIDDEN, POOLED, Encoder
from gpudb.models.limits import Limits, batch_limits
from gpudb.models.statistics import InferStatistics
from gpudb.models.text_column import as_text_column
from gpudb.plan.rules import NEEDED
from gpudb.settings import Settings
from gpudb.types import HostArray
from tests import reference_encoder
from tests.models.odd_texts import odd_texts
from tests.tiny_model import CONFIG, WORDS, tiny_weights, write_tiny_model

ROOM = Limits(threads=1, token_budget=1024, memory_nbytes=1 << 30)
# Float32 sums of at most 40 products through two layers, then vectors of length one.
AGAINST_FLOAT64 = 2e-6
# What the issue promises between any two batchings.
BATCHING = 1e-6


def random_texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS[4:-1], k=rng.randint(0, 14))) for _ in range(count)]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as database:
        database.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        yield database


@pytest.fixture
def encoder(db: gpudb.Database) -> Encoder:
    return fresh(db._library.encoder("tiny"))


@pytest.fixture(scope="module")
def minilm(minilm_folder: Path) -> Iterator[Encoder]:
    with gpudb.connect(device="numpy", threads=2) as database:
        database.import_model(minilm_folder, "minilm")
        yield fresh(database._library.encoder("minilm"))


def fresh(encoder: Encoder, limits: Limits = ROOM, **changes: Any) -> Encoder:
    """The same model with nothing prepared."""
    return replace(encoder, limits=limits, **changes)


def measured(encoder: Encoder, texts: list[str]) -> tuple[HostArray, InferStatistics]:
    return encoder.embed(as_text_column(texts), Settings())


def embed(encoder: Encoder, texts: list[str]) -> HostArray:
    return measured(encoder, texts)[0]


def reference(encoder: Encoder, texts: list[str], pooling: str, normalize: bool) -> Any:
    assert encoder.tokenizer is not None
    tokens = encoder.tokenizer.encode(as_text_column(texts))
    types = np.zeros_like(tokens.values)
    hidden = reference_encoder.bert(CONFIG, tiny_weights(), tokens.values, types, tokens.offsets)
    pooled = reference_encoder.pool(hidden, tokens.offsets, pooling)
    return reference_encoder.normalize(pooled, LEAST_NORM) if normalize else pooled


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("rules", [None, NEEDED], ids=["all rules", "needed rules"])
def test_vectors_equal_float64(encoder: Encoder, pooling: Any, normalize: bool, rules: Any) -> None:
    texts = random_texts(30, 1)
    function = replace(encoder.function, pooling=pooling, normalize=normalize)
    changed = fresh(encoder, function=function, rules=rules or encoder.rules)
    expected = reference(encoder, texts, pooling, normalize)
    scale = max(1.0, float(np.abs(expected).max()))
    assert np.abs(embed(changed, texts) - expected).max() <= AGAINST_FLOAT64 * scale


@pytest.mark.parametrize("seed", range(8))
def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder, seed: int) -> None:
    texts = random_texts(60, seed)
    alone = np.concatenate([embed(encoder, [text]) for text in texts])
    _check_batchings(encoder, texts, alone, seed)


@pytest.mark.parametrize("seed", range(2))
def test_a_vector_of_minilm_does_not_depend_on_its_batch(minilm: Encoder, seed: int) -> None:
    texts = odd_texts(40)
    random.Random(seed).shuffle(texts)
    alone = np.concatenate([embed(minilm, [text]) for text in texts])
    _check_batchings(minilm, texts, alone, seed)


def _check_batchings(encoder: Encoder, texts: list[str], alone: HostArray, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(3):
        limits = replace(ROOM, threads=rng.randint(1, 4), token_budget=rng.choice([1, 17, 64, 999]))
        order = rng.sample(range(len(texts)), rng.randint(1, len(texts)))
        vectors, statistics = measured(fresh(encoder, limits), [texts[i] for i in order])
        assert statistics.padded_tokens == 0
        assert np.abs(vectors - alone[order]).max() <= BATCHING


def test_nothing_is_padded_whatever_the_lengths(encoder: Encoder) -> None:
    texts = ["", "a " * 10, "the cat", "a", "the cat sat"]
    _, statistics = measured(encoder, texts)
    assert encoder.tokenizer is not None
    tokens = int(encoder.tokenizer.encode(as_text_column(texts)).offsets[-1])
    assert (statistics.tokens, statistics.padded_tokens) == (tokens, 0)
    assert sum(sizes["tokens"] for sizes in statistics.profile.runs) == tokens


def test_padding_would_be_counted(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def padded(offsets: HostArray, budget: int) -> Iterator[Batch]:
        for batch in plan_batches(offsets, budget):
            again = np.append(batch.rows, batch.rows[-1:])
            offsets = batch.offsets + np.int32([0, 1])
            sizes = sizes_of_lengths(np.diff(offsets))
            yield Batch(batch.sequences, offsets, again, 0 * again, sizes)

    monkeypatch.setattr(encoder_module, "plan_batches", padded)
    assert measured(encoder, ["a"])[1].padded_tokens == 1


def test_joins_happen_once_per_plan(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    joins: list[str] = []
    for kind in _operators(PhysicalOp):
        if "join" in vars(kind):
            monkeypatch.setattr(kind, "join", _counted(kind, joins))
    first, statistics = measured(encoder, ["the cat", "a dog"])
    steps = len(encoder.joined(POOLED).steps)
    assert len(joins) >= steps
    assert statistics.prepare_seconds > 0
    joins.clear()
    again, statistics = measured(encoder, ["a dog", "the cat", "b"])
    assert joins == []
    assert statistics.prepare_seconds == 0
    np.testing.assert_allclose(again[:2], first[::-1], atol=BATCHING)


def _operators(kind: type[PhysicalOp]) -> list[type[PhysicalOp]]:
    return [kind, *(k for sub in kind.__subclasses__() for k in _operators(sub))]


def _counted(kind: type[PhysicalOp], joins: list[str]) -> Any:
    join = kind.join

    def counted(self: PhysicalOp, *keys: Any) -> Any:
        joins.append(type(self).__name__)
        return join(self, *keys)

    return counted


def test_weights_are_views_of_the_pages(encoder: Encoder) -> None:
    """Only what must lie side by side and does not (Q, K, V of one layer) may be copied."""
    placement, _ = encoder.fit(POOLED, longest=4, budget=4)
    assert placement.mode == "resident"
    weights = encoder.placed(POOLED, placement).weights
    assert isinstance(weights, ResidentWeights)
    arrays = weights.arrays.values()
    views = [a for a in arrays if not a.flags.owndata and not a.flags.writeable]
    assert len(views) >= len(arrays) // 2


def test_weights_of_two_plans_are_kept_together_only_where_they_fit(encoder: Encoder) -> None:
    placement, _ = encoder.fit(POOLED, longest=4, budget=4)
    kept = placement.held_nbytes
    for room, expected in ((2 * kept + 50_000, [POOLED, HIDDEN]), (2 * kept - 1, [HIDDEN])):
        limits = replace(encoder.limits, threads=1, memory_nbytes=room)
        one = fresh(encoder, limits=limits)
        for output in (POOLED, HIDDEN):
            placement, _ = one.fit(output, longest=4, budget=4)
            assert placement.mode == "resident"
            assert one.placed(output, placement).placement is placement
        assert list(one._prepared) == expected


def test_the_memory_limit_makes_batches_smaller_before_it_refuses(encoder: Encoder) -> None:
    texts = random_texts(200, 3)
    roomy, wide = measured(encoder, texts)
    held = wide.resident_nbytes + wide.projected_nbytes
    least = measured(fresh(encoder, replace(ROOM, token_budget=1)), texts)[1]
    needed = least.resident_nbytes + least.projected_nbytes
    assert needed < held
    limits = Limits(threads=4, token_budget=1024, memory_nbytes=(needed + held) // 2)
    vectors, statistics = measured(fresh(encoder, limits), texts)
    assert statistics.batches > wide.batches
    assert statistics.resident_nbytes + statistics.projected_nbytes <= limits.memory_nbytes
    np.testing.assert_allclose(vectors, roomy, atol=BATCHING)
    tight = fresh(encoder, replace(limits, memory_nbytes=needed - 1))
    message = rf"tiny@1 over one text of \d+ tokens needs {needed:,} bytes.*{needed - 1:,} bytes"
    with pytest.raises(MemoryBudgetError, match=message):
        measured(tight, texts)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    vectors, statistics = measured(encoder, [])
    assert vectors.shape == (0, CONFIG["hidden_size"])
    assert (statistics.tokens, statistics.batches, statistics.tokens_per_second) == (0, 0, 0.0)


def test_long_texts_are_cut_to_the_positions(encoder: Encoder) -> None:
    longest = CONFIG["max_position_embeddings"]
    assert isinstance(longest, int)
    words = ["cat"] * (longest - 2)
    cut, whole = embed(encoder, [" ".join([*words, "dog", "dog"]), " ".join(words)])
    np.testing.assert_array_equal(cut, whole)


def test_the_prompt_stands_before_every_text(encoder: Encoder) -> None:
    prompted = fresh(encoder, function=replace(encoder.function, prompt="the "))
    np.testing.assert_array_equal(embed(prompted, ["cat", ""]), embed(encoder, ["the cat", "the "]))


def test_a_prompt_in_the_folder_is_used(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    settings = {"default_prompt_name": "query", "prompts": {"query": "the "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    plain = write_tiny_model(tmp_path / "plain")
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(folder, "prompted")
        db.import_model(plain, "plain")
        prompted = db.embed("prompted", ["cat"]).numpy("embedding")
        np.testing.assert_array_equal(prompted, db.embed("plain", ["the cat"]).numpy("embedding"))


def test_infer_gives_the_hidden_states_of_float64(db: gpudb.Database) -> None:
    rng = np.random.default_rng(2)
    offsets = np.cumsum([0, 3, 0, 12, 1])
    ids, types = rng.integers(0, len(WORDS), 16), rng.integers(0, 2, 16)
    hidden, statistics = db.infer("tiny", {"token_ids": ids, "type_ids": types}, offsets)
    expected = reference_encoder.bert(CONFIG, tiny_weights(), ids, types, offsets)
    assert (statistics.tokens, statistics.padded_tokens) == (16, 0)
    np.testing.assert_allclose(hidden, expected, atol=2e-5)


@pytest.mark.parametrize(
    ("inputs", "offsets", "message"),
    [
        ({"token_ids": [15]}, [0, 1], "token_ids must be integers from 0 to 14.*15"),
        ({"token_ids": [-1]}, [0, 1], "from -1"),
        ({"token_ids": [1.5]}, [0, 1], "float64"),
        ({"token_ids": [1], "type_ids": [2]}, [0, 1], "type_ids must be integers from 0 to 1"),
        ({"token_ids": [1], "position_ids": [12]}, [0, 1], "position_ids must be"),
        ({"token_ids": 1}, [0, 1], "must agree in rows"),
        ({"token_ids": [[1, 2]]}, [0, 1], "the model takes"),
        ({"token_ids": [1], "mask": [1]}, [0, 1], "takes"),
        ({}, [0, 0], "needs 'token_ids'"),
        ({"token_ids": [1]}, [], "offsets"),
        ({"token_ids": [1]}, [0.0, 1.0], "offsets"),
        ({"token_ids": [1]}, [[0, 1]], "offsets"),
    ],
)
def test_inputs_that_do_not_fit(
    db: gpudb.Database, inputs: dict[str, Any], offsets: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        db.infer("tiny", inputs, offsets)


def test_a_sequence_longer_than_the_positions_is_refused(db: gpudb.Database) -> None:
    longest = CONFIG["max_position_embeddings"]
    assert isinstance(longest, int)
    ids = np.ones(longest + 1, np.int32)
    db.infer("tiny", {"token_ids": ids[1:]}, [0, longest])
    with pytest.raises(InputError, match=rf"has {longest + 1} rows.*at most {longest};"):
        db.infer("tiny", {"token_ids": ids}, [0, longest + 1])


def test_a_model_without_a_tokenizer_says_what_to_do(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    (folder / "vocab.txt").unlink()
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(folder, "mute")
        with pytest.raises(UnsupportedError, match=r"mute@1 has no tokenizer.*tokenizer.json"):
            db.embed("mute", ["a"])
        hidden, _ = db.infer("mute", {"token_ids": [2, 4, 3]}, [0, 3])
        assert hidden.shape == (3, 24)


def test_unknown_models_and_versions_list_what_there_is(db: gpudb.Database) -> None:
    for name, message in (("tinny", "no model 'tinny'.*tiny"), ("tiny@7", "7.*1")):
        with pytest.raises(CatalogError, match=message):
            db.embed(name, ["a"])


def test_a_dropped_model_is_gone_and_its_name_free(db: gpudb.Database, tmp_path: Path) -> None:
    before = db.embed("tiny", ["cat"]).numpy("embedding")
    db.drop_model("tiny")
    with pytest.raises(CatalogError, match="no model 'tiny'"):
        db.embed("tiny", ["cat"])
    db.import_model(write_tiny_model(tmp_path / "other", seed=1), "tiny")
    assert np.abs(db.embed("tiny", ["cat"]).numpy("embedding") - before).max() > 1e-3


def test_a_whole_model_runs_on_shapes(encoder: Encoder) -> None:
    ghost = fresh(encoder, backend=NullBackend())
    vectors, statistics = measured(ghost, random_texts(50, 5))
    real, expected = measured(encoder, random_texts(50, 5))
    assert vectors.shape == real.shape
    assert not vectors.any()
    assert statistics.device == "null"
    for name in ("tokens", "batches", "resident_nbytes", "projected_nbytes"):
        assert getattr(statistics, name) == getattr(expected, name)
    assert statistics.profile.costs == expected.profile.costs


def test_texts_in_any_arrow_form_give_the_same(db: gpudb.Database) -> None:
    texts = ["the cat", "a dog", "the cat"]
    plain = db.embed("tiny", texts).numpy("embedding")
    for column in (pa.array(texts).dictionary_encode(), pa.chunked_array([texts[:1], texts[1:]])):
        np.testing.assert_array_equal(db.embed("tiny", column).numpy("embedding"), plain)


def test_a_gpu_gets_one_large_batch_at_a_time() -> None:
    assert batch_limits("numpy", 3, 0, 9) == Limits(3, 1024, 9)
    assert batch_limits("cuda", 3, 0, 9) == Limits(1, 16384, 9)
    assert batch_limits("cuda", 3, 77, 9) == Limits(1, 77, 9)


def test_placements_are_kept_for_some_lengths_only(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpudb.models.encoder.KEPT_FITS", 3)
    one = fresh(encoder)
    for longest in (*range(1, 9), 1, 8):
        assert one.fit(POOLED, longest, longest) == fresh(encoder).fit(POOLED, longest, longest)
        assert len(one._fits) <= 3


def test_what_another_connection_imports_or_drops_is_seen(tmp_path: Path) -> None:
    folders = [write_tiny_model(tmp_path / str(seed), seed) for seed in (0, 1)]
    with (
        gpudb.connect(tmp_path / "db", device="numpy") as here,
        gpudb.connect(tmp_path / "db", device="numpy") as there,
    ):
        there.import_model(folders[0], "m")
        first = here.embed("m", ["a"]).numpy("embedding")
        there.import_model(folders[1], "m")
        assert here.embed("m", ["a"]).stats.model == "m@2"
        there.drop_model("m@2")
        np.testing.assert_array_equal(here.embed("m", ["a"]).numpy("embedding"), first)
        there.drop_model("m")
        with pytest.raises(CatalogError, match="no model 'm'"):
            here.embed("m", ["a"])
