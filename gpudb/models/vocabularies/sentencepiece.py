"""Unigram tokenizers from the model file of SentencePiece, read without that library.

Kudo, "Subword Regularization", 2018; the file is a protocol buffer, described in
https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto. Around the pieces
every class of tokenizer has its own ids and its own way to normalise: those of transformers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import Metaspace as MetaspaceDecoder
from tokenizers.models import Unigram
from tokenizers.normalizers import (
    NFC,
    NFKD,
    Lowercase,
    Normalizer,
    Precompiled,
    Replace,
    Sequence,
    Strip,
    StripAccents,
)
from tokenizers.pre_tokenizers import Metaspace, PreTokenizer, Punctuation, WhitespaceSplit
from tokenizers.pre_tokenizers import Sequence as Steps

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import AGAIN, MAKE_TOKENIZER_JSON, read_bytes
from gpudb.models.formats.protobuf import fields
from gpudb.models.vocabularies.added_tokens import Family, around, read_added_tokens

FILES = ("sentencepiece.bpe.model", "spiece.model", "spm.model")

# Numbers of fields and of kinds in sentencepiece_model.proto.
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_TEXT, _SCORE, _KIND = 1, 2, 3
_ALGORITHM, _BYTE_FALLBACK = 3, 35
_CHARACTER_MAP = 2
_UNIGRAM = 1
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4

_S_TOKENS = {
    "bos": "<s>", "eos": "</s>", "unk": "<unk>", "sep": "</s>", "pad": "<pad>", "cls": "<s>",
    "mask": "<mask>",
}  # fmt: skip
_CLS_TOKENS = {
    "bos": "[CLS]", "eos": "[SEP]", "sep": "[SEP]", "cls": "[CLS]", "mask": "[MASK]",
}  # fmt: skip
_S_AROUND = ("{bos} $A {eos}", "{bos} $A {eos} {eos} $B {eos}")
_CLS_AROUND = ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1")

FAMILIES: Mapping[str, Family] = {
    "XLMRobertaTokenizer": Family(_S_TOKENS, *_S_AROUND),
    "CamembertTokenizer": Family(_S_TOKENS, *_S_AROUND, mask_takes_space=True),
    "AlbertTokenizer": Family({**_CLS_TOKENS, "unk": "<unk>", "pad": "<pad>"}, *_CLS_AROUND),
    "DebertaV2Tokenizer": Family({**_CLS_TOKENS, "unk": "[UNK]", "pad": "[PAD]"}, *_CLS_AROUND),
    "T5Tokenizer": Family(
        {"eos": "</s>", "unk": "<unk>", "pad": "<pad>"}, "$A {eos}", "$A {eos} $B {eos}"
    ),
}
"""By class of the tokenizer."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a SentencePiece model file holds, as far as it is used."""

    vocabulary: tuple[tuple[str, float], ...]
    """Piece and the logarithm of its probability, by id."""
    kinds: tuple[int, ...]
    character_map: bytes
    """How characters are normalised; empty for not at all."""

    @property
    def unknown(self) -> int:
        """Id of the piece for what no other piece covers."""
        return self.kinds.index(_UNKNOWN)

    @property
    def added(self) -> list[AddedToken]:
        """Pieces that are found as they are, before any other."""
        return [
            AddedToken(text, normalized=False, special=kind == _CONTROL)
            for (text, _), kind in zip(self.vocabulary, self.kinds, strict=True)
            if kind in (_CONTROL, _USER_DEFINED)
        ]


def read_pieces(path: Path) -> Pieces:
    """Read a model file of SentencePiece.

    Raises
    ------
    CheckpointError
        It is none.
    UnsupportedError
        It is no unigram model.
    """
    content = read_bytes(path)
    vocabulary, kinds, character_map = [], [], b""
    algorithm, byte_fallback = _UNIGRAM, 0
    try:
        for number, value in fields(content):
            if number == _PIECES:
                piece = dict(fields(_message(value)))
                (score,) = struct.unpack("<f", _message(piece.get(_SCORE, bytes(4))))
                vocabulary.append((_message(piece.get(_TEXT, b"")).decode(), score))
                kinds.append(int(piece.get(_KIND, _NORMAL)))
            elif number == _TRAINER:
                trainer = dict(fields(_message(value)))
                algorithm = int(trainer.get(_ALGORITHM, _UNIGRAM))
                byte_fallback = int(trainer.get(_BYTE_FALLBACK, 0))
            elif number == _NORMALIZER:
                normalizer = dict(fields(_message(value)))
                character_map = _message(normalizer.get(_CHARACTER_MAP, b""))
        if _UNKNOWN not in kinds:
            raise ValueError("it has no piece for unknown text")
    except (ValueError, struct.error) as error:
        raise CheckpointError(
            f"{path}: not a model file of SentencePiece ({error}). {AGAIN}"
        ) from error
    if algorithm != _UNIGRAM or byte_fallback:
        raise UnsupportedError(
            f"{path}: pieces are joined by another algorithm than unigram, or unknown text falls "
            f"back to bytes; gpudb reads plain unigram models. {MAKE_TOKENIZER_JSON}"
        )
    return Pieces(tuple(vocabulary), tuple(kinds), character_map)


def unigram(path: Path, kind: str, config: Mapping[str, Any]) -> str:
    """A ``tokenizer.json`` of a model file of SentencePiece.

    Parameters
    ----------
    path
        The file.
    kind
        The class of the tokenizer, one of :data:`FAMILIES`.
    config
        Its ``tokenizer_config.json``.

    Raises
    ------
    CheckpointError
        The file is no model, or contradicts the settings.
    UnsupportedError
        It is no unigram model.
    """
    pieces, family = read_pieces(path), FAMILIES[kind]
    added = read_added_tokens(path.parent, config, family)
    names = {role: added.name(role) for role in added.by_role}
    vocabulary, unknown = _vocabulary(pieces, kind, names, config)
    # The library raises plain Exception, e.g. for a character map that is none.
    try:
        tokenizer = Tokenizer(Unigram(vocabulary, unk_id=unknown, byte_fallback=False))
        if steps := _normalizers(pieces.character_map, kind, config):
            tokenizer.normalizer = Sequence(steps)
    except Exception as error:
        raise CheckpointError(
            f"{path}: no tokenizer can be made of it ({error}). {AGAIN}"
        ) from error
    prefix = _prefix(kind, config.get("add_prefix_space", True) is True)
    tokenizer.pre_tokenizer = Steps([*_words(kind, config), Metaspace(prepend_scheme=prefix)])
    tokenizer.decoder = MetaspaceDecoder(prepend_scheme=prefix)
    more = pieces.added
    if kind == "T5Tokenizer":
        more = [*more, *(AddedToken(text, special=True) for text in _sentinels(config))]
    added.add_to(tokenizer, more)
    tokenizer.post_processor = around(family, tokenizer, added)
    return str(tokenizer.to_str())


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes are expected")
    return value


def _vocabulary(
    pieces: Pieces, kind: str, names: Mapping[str, str], config: Mapping[str, Any]
) -> tuple[list[tuple[str, float]], int]:
    """Pieces by the id they have in the model, and the id of the unknown one.

    The models of fairseq put their own special tokens before the pieces, and the mask behind.
    """
    found = list(pieces.vocabulary)
    if kind == "XLMRobertaTokenizer":
        first = [(names[role], 0.0) for role in ("bos", "pad", "eos", "unk")]
        return [*first, *found[3:], (names["mask"], 0.0)], 3
    if kind == "CamembertTokenizer":
        first = [("<s>NOTUSED", 0.0), (names["pad"], 0.0), ("</s>NOTUSED", 0.0)]
        first += [(names["unk"], 0.0), ("<unk>NOTUSED", -100.0)]
        return [*first, *found[1:], (names["mask"], 0.0)], 3
    if kind == "T5Tokenizer":
        found += [(text, 0.0) for text in reversed(_sentinels(config))]
    return found, pieces.unknown


def _sentinels(config: Mapping[str, Any]) -> list[str]:
    """Tokens that stand for what T5 is to fill in; the first has the highest id."""
    count = config.get("extra_ids", 100)
    return [f"<extra_id_{i}>" for i in range(count if type(count) is int else 100)]


def _normalizers(character_map: bytes, kind: str, config: Mapping[str, Any]) -> list[Normalizer]:
    lowered = config.get("do_lower_case", kind == "AlbertTokenizer") is True
    small: list[Normalizer] = [Lowercase()] if lowered else []
    if kind == "DebertaV2Tokenizer":
        spaces = Replace(Regex(r"\s{2,}|[\n\r\t]"), " ")
        return [*small, spaces, NFC(), Strip(left=False, right=True)]
    steps: list[Normalizer] = []
    if kind == "AlbertTokenizer":
        accents = [] if config.get("keep_accents") is True else [NFKD(), StripAccents()]
        steps = [Replace("``", '"'), Replace("''", '"'), *accents, *small]
    return [*steps, Precompiled(character_map)] if character_map else steps


def _words(kind: str, config: Mapping[str, Any]) -> list[PreTokenizer]:
    """What cuts a text before spaces become a part of pieces."""
    if kind != "DebertaV2Tokenizer":
        return [WhitespaceSplit()]
    return [Punctuation(behavior="isolated")] if config.get("split_by_punct") is True else []


def _prefix(kind: str, spaced: bool) -> str:
    """Which words get a space before them that the text does not have."""
    if spaced:
        return "always"
    return "first" if kind == "DebertaV2Tokenizer" else "never"
