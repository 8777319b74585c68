"""all-MiniLM-L6-v2 in SQL against transformers and sentence-transformers, on the same files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.types import HostArray
from tests.oracles.conftest import Report
from tests.oracles.texts import texts

# Both sides compute in float32, in another order of summation: a few units in the last place per
# operator, six layers of about ten operators, then vectors of length one. Measured: 3e-7.
LARGEST = 2e-5
COSINE = 0.99999

TEXTS = texts(600)


@pytest.fixture(scope="module")
def ours(minilm_folder: Path) -> Iterator[HostArray]:
    """Vectors of TEXTS, out of a table and back in its order."""
    with gpudb.connect(device="numpy") as db:
        db.import_model(minilm_folder, "minilm")
        db.create_table("texts", pa.table({"id": range(len(TEXTS)), "text": TEXTS}))
        result = db.sql("SELECT embed('minilm', text) AS e FROM texts ORDER BY id")
        assert result.stats.padded_tokens == 0
        yield result.numpy("e")


@pytest.mark.oracle
def test_the_vectors_are_those_of_transformers(
    ours: HostArray, minilm_folder: Path, report: Report
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder)
    model = transformers.AutoModel.from_pretrained(minilm_folder, dtype=torch.float32).eval()
    theirs = []
    with torch.inference_mode():
        for text in TEXTS:  # one by one: nothing is padded on their side either
            # 256: sentence_bert_config.json's max_seq_length
            encoded = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            pooled = model(**encoded).last_hidden_state.mean(1)
            theirs.append(torch.nn.functional.normalize(pooled, dim=1)[0].numpy())
    _compare(ours, np.stack(theirs), report)


@pytest.mark.oracle
def test_the_vectors_are_those_of_sentence_transformers(
    ours: HostArray, minilm_folder: Path, report: Report
) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(minilm_folder), device="cpu")
    theirs = model.encode(TEXTS, show_progress_bar=False)  # padded batches, its default
    _compare(ours, theirs, report)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("dtype", "least"), [("float16", 0.99999), ("bfloat16", 0.9999), ("int8", 0.995)]
)
def test_rounded_weights_give_nearly_the_vectors_of_sentence_transformers(
    minilm_folder: Path, dtype: str, least: float, report: Report
) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(minilm_folder), device="cpu")
    few = TEXTS[::10]
    theirs = model.encode(few, show_progress_bar=False)
    with gpudb.connect(device="numpy") as db:
        db.import_model(minilm_folder, "minilm", dtype=dtype)
        found = db.embed("minilm", few).numpy("embedding")
    cosine = (found * theirs).sum(axis=1)
    report(f"{len(few)} texts, cosine {cosine.mean():.6f} on average, {cosine.min():.6f} at least")
    assert least <= cosine.min() < 1 + 1e-6


def _compare(ours: HostArray, theirs: HostArray, report: Report) -> None:
    difference = float(np.abs(ours - theirs).max())
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    report(f"{len(TEXTS)} texts, at most {difference:.2e}, cosine at least {cosine.min():.8f}")
    assert ours.shape == theirs.shape == (len(TEXTS), 384)
    assert difference <= LARGEST, f"largest difference {difference:.2e}"
    assert cosine.min() >= COSINE, f"least cosine {cosine.min():.8f}"
