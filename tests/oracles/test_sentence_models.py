"""Random sentence-transformers folders of other encoders than BERT, embedded in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.models.tokenizer_files import read_tokenizer
from tests.oracles.conftest import Report
from tests.oracles.parity import randomized
from tests.oracles.texts import texts
from tests.vocabulary_files import FOLDERS, write_json

pytestmark = pytest.mark.oracle

# Vectors of length one, computed in float32 in another order.
LARGEST = 2e-6

MOST_TOKENS = 24

SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 33,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
}
DISTILBERT = {"dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 33, "initializer_range": 0.3}

CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "roberta": ("RobertaModel", {**SIZES, "pad_token_id": 1}, "mean"),
    "distilbert": ("DistilBertModel", {**DISTILBERT, "pad_token_id": 1}, "cls"),
    "mpnet": ("MPNetModel", SIZES, "mean"),
    "albert": ("AlbertModel", {**SIZES, "embedding_size": 12, "pad_token_id": 0}, "max"),
}

MODULES = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
POOLING_MODES = ("mean_tokens", "cls_token", "max_tokens")


def _sentence_model(kind: str, tmp_path: Path) -> Any:
    """The model of a folder as people share them, written anew by sentence-transformers."""
    transformers = pytest.importorskip("transformers")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    task, sizes, pooling = CASES[kind]
    folder = FOLDERS[kind](tmp_path / "shared")
    tokenizer = read_tokenizer(folder)
    assert tokenizer is not None
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    side = {"truncation_side": "left"} if kind == "roberta" else {}
    write_json(folder / "tokenizer_config.json", {"model_max_length": MOST_TOKENS, **side})
    model_class = getattr(transformers, task)
    rows = len(transformers.AutoTokenizer.from_pretrained(folder))
    config = model_class.config_class(vocab_size=rows, **sizes)
    randomized(model_class(config), seed=len(kind)).save_pretrained(folder)
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (name, path) in enumerate(MODULES.items())
    ])  # fmt: skip
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{name}": name.startswith(pooling) for name in POOLING_MODES}
    write_json(folder / "1_Pooling/config.json", {"word_embedding_dimension": 24, **modes})
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    model.save_pretrained(str(tmp_path / "model"))
    return model


@pytest.mark.parametrize("kind", CASES)
def test_vectors_are_those_of_sentence_transformers(
    kind: str, tmp_path: Path, report: Report
) -> None:
    model = _sentence_model(kind, tmp_path)
    some = texts(200)
    theirs = model.encode(some, show_progress_bar=False)
    with gpudb.connect(device="numpy") as db:
        db.import_model(tmp_path / "model", "m")
        db.create_table("texts", pa.table({"id": range(len(some)), "text": some}))
        ours = db.sql("SELECT embed('m', text) AS e FROM texts ORDER BY id").numpy("e")
    difference = float(np.abs(ours - theirs).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
