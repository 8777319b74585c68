"""WordPiece over the words of BERT, for ``vocab.txt``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import RobertaProcessing, TemplateProcessing

from gpudb.models.vocabularies.added_tokens import AddedTokens, Family

MPNET = Family(
    {
        "bos": "<s>", "eos": "</s>", "unk": "[UNK]", "sep": "</s>", "pad": "<pad>", "cls": "<s>",
        "mask": "<mask>",
    },
    "{cls} $A {sep}",
    "{cls} $A {sep} {sep} $B {sep}",
    mask_takes_space=True,
)  # fmt: skip


def bert_tokenizer(
    vocabulary: dict[str, int], settings: Mapping[str, Any], special: Mapping[str, str]
) -> Tokenizer:
    """BERT's; ``settings`` are those of its normaliser, ``special`` its tokens by role."""
    tokenizer = _word_piece(vocabulary, settings, special["unk_token"])
    cls, sep = special["cls_token"], special["sep_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, vocabulary[cls]), (sep, vocabulary[sep])],
    )
    # A token beyond the vocabulary would get an id for which the model has no embedding.
    known = [token for token in special.values() if token in vocabulary]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in known])
    return tokenizer


def mpnet_tokenizer(
    vocabulary: dict[str, int], settings: Mapping[str, Any], added: AddedTokens
) -> Tokenizer:
    """MPNet's: the words of BERT between the special tokens of RoBERTa."""
    tokenizer = _word_piece(vocabulary, settings, added.name("unk"))
    added.add_to(tokenizer)
    sep, cls = (added.with_id(role, tokenizer) for role in ("sep", "cls"))
    tokenizer.post_processor = RobertaProcessing(sep, cls, True, False)
    return tokenizer


def _word_piece(vocabulary: dict[str, int], settings: Mapping[str, Any], unknown: str) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = BertNormalizer(clean_text=True, **settings)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.decoder = WordPieceDecoder(prefix="##")
    return tokenizer
