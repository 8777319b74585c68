"""Texts through encoders with distances: folders of sentence-transformers, compared with it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from tests.oracles.conftest import Report
from tests.oracles.parity import LARGEST, randomized

pytestmark = pytest.mark.oracle

WORDS = ("a", "the", "cat", "sat", "on", "mat", "dog", "ran", "over", "and", "under", "again")
TEXTS = [
    "The cat sat on a mat.",
    "",
    "dog",
    "the unknown word zebra",
    " ".join(["the cat ran over the dog and sat"] * 9),
]


def _word_pieces(special: list[str]) -> Any:
    """As BERT's, with other names of special tokens."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {word: number for number, word in enumerate([*special, *WORDS, "."])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token=special[3]))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _unigrams(special: list[str]) -> Any:
    """As SentencePiece's."""
    tokenizers = pytest.importorskip("tokenizers")
    pieces = [*special, "▁", *(f"▁{word}" for word in WORDS), *"abcdefghijklmnopqrstuvwxyz."]
    scored = [(piece, -float(number) / 10) for number, piece in enumerate(pieces)]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.Unigram(scored, unk_id=special.index("<unk>"))
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    return tokenizer


def _framed(tokenizer: Any, first: str | None, last: str) -> Any:
    """With special tokens around each text."""
    processors = pytest.importorskip("tokenizers").processors
    names = [name for name in (first, last) if name is not None]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(filter(None, (first, "$A", last))),
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in names],
    )
    return tokenizer


def _mpnet(transformers: Any) -> tuple[Any, Any, str, str]:
    config = transformers.MPNetConfig(
        vocab_size=60,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=33,
        max_position_embeddings=40,
        initializer_range=0.3,
    )
    tokenizer = _framed(_word_pieces(["<s>", "<pad>", "</s>", "[UNK]"]), "<s>", "</s>")
    return transformers.MPNetModel(config), tokenizer, "<pad>", "[UNK]"


def _t5(transformers: Any) -> tuple[Any, Any, str, str]:
    config = transformers.T5Config(
        vocab_size=60, d_model=24, d_kv=8, num_heads=3, d_ff=33, num_layers=2
    )
    tokenizer = _framed(_unigrams(["<pad>", "</s>", "<unk>"]), None, "</s>")
    return transformers.T5EncoderModel(config), tokenizer, "<pad>", "<unk>"


def _deberta(transformers: Any) -> tuple[Any, Any, str, str]:
    config = transformers.DebertaV2Config(
        vocab_size=60,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=33,
        max_position_embeddings=40,
        initializer_range=0.3,
        relative_attention=True,
        pos_att_type="p2c|c2p",
        position_buckets=8,
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        position_biased_input=False,
    )
    tokenizer = _framed(_unigrams(["<pad>", "[CLS]", "[SEP]", "<unk>"]), "[CLS]", "[SEP]")
    return transformers.DebertaV2Model(config), tokenizer, "<pad>", "<unk>"


@pytest.mark.parametrize("make", [_mpnet, _t5, _deberta])
def test_vectors_are_those_of_sentence_transformers(
    make: Any, tmp_path: Path, report: Report
) -> None:
    transformers = pytest.importorskip("transformers")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model, tokenizer, pad, unknown = make(transformers)
    randomized(model, 1).save_pretrained(tmp_path / "model")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=pad, unk_token=unknown, model_max_length=38
    )
    fast.save_pretrained(tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    theirs.max_seq_length = 38
    expected = theirs.encode(TEXTS, normalize_embeddings=False)
    theirs.save(str(tmp_path / "sentences"))
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path / "sentences", "m")
        result = db.sql("SELECT embed('m', t) FROM (SELECT unnest($texts) AS t)", {"texts": TEXTS})
        found = np.array([vector for (vector,) in result.fetchall()])
    difference = float(np.abs(found - expected).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
