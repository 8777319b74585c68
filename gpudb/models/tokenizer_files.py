"""The tokenizer of a model folder, whatever its files, as the text of one ``tokenizer.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from gpudb.errors import CheckpointError
from gpudb.models.files import AGAIN, file_names, parse_json, read_json_object, read_text

BERT_CLASSES = (None, "BertTokenizer", "BertTokenizerFast")
SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
BERT_SETTINGS: Mapping[str, tuple[str, bool | None]] = {
    "lowercase": ("do_lower_case", True),
    "strip_accents": ("strip_accents", None),
    "handle_chinese_chars": ("tokenize_chinese_chars", True),
}
"""Setting of the normaliser -> its name in ``tokenizer_config.json`` and its default there."""
NEEDED_TOKENS = ("unk_token", "cls_token", "sep_token")


def read_tokenizer(folder: Path, lower_case: bool = False) -> str | None:
    """The tokenizer in ``folder`` as the text of a ``tokenizer.json``; None if there is none.

    Read from ``tokenizer.json``, else from ``vocab.txt``, with the settings of
    ``tokenizer_config.json``. ``lower_case`` puts lower-casing before everything else.

    Raises
    ------
    CheckpointError
        The files are not what their names say, or the vocabulary lacks a special token.
    """
    names = file_names(folder)
    config = _optional(folder, "tokenizer_config.json", names)
    if "tokenizer.json" in names:
        source = folder / "tokenizer.json"
        text = read_text(source)
        _check_tokenizer(text, source)
        document = parse_json(text, source)
        if _is_bert(document, config):
            # transformers makes the normaliser of a BERT tokenizer from tokenizer_config.json
            # alone: where the files differ, the vectors people know come from that one.
            document["normalizer"].update(_bert_settings(folder, config))
    elif "vocab.txt" in names:
        source = folder / "vocab.txt"
        special = _special_tokens(config, _optional(folder, "special_tokens_map.json", names))
        document = json.loads(_from_vocabulary(source, _bert_settings(folder, config), special))
    else:
        return None
    if lower_case:
        _lower_case_first(document)
    stored = json.dumps(document)
    _check_tokenizer(stored, source)
    return stored


def read_mask_token(folder: Path) -> str:
    """The token that stands for a word to be guessed, as the tokenizer's files name it."""
    names = file_names(folder)
    config = _optional(folder, "tokenizer_config.json", names)
    saved = _optional(folder, "special_tokens_map.json", names)
    return _special_tokens(config, saved)["mask_token"]


def read_pair_types(folder: Path) -> bool:
    """Whether a model is told which text of a pair a token is of: yes, unless a file denies it."""
    config = _optional(folder, "tokenizer_config.json", file_names(folder))
    inputs = config.get("model_input_names")
    return not isinstance(inputs, list) or "token_type_ids" in inputs


def _check_tokenizer(text: str, source: Path) -> None:
    """Check that ``text``, read from ``source``, is a tokenizer that can encode any text."""
    try:
        tokenizer = Tokenizer.from_str(text)
    # The library raises plain Exception for anything wrong in the text.
    except Exception as error:
        raise CheckpointError(
            f"{source}: not a tokenizer ({error}); expected what the tokenizers library writes. "
            f"{AGAIN}"
        ) from error
    # The library finds these two out only when it encodes, the second by a panic.
    unknown = getattr(tokenizer.model, "unk_token", None)
    if unknown is not None and tokenizer.model.token_to_id(unknown) is None:
        raise CheckpointError(
            f"{source}: its token for unknown words, {unknown!r}, is not in the vocabulary. {AGAIN}"
        )
    for template in _templates(parse_json(text, source).get("post_processor")):
        named = {
            piece["SpecialToken"]["id"] for piece in template["single"] if "SpecialToken" in piece
        }
        missing = named - template["special_tokens"].keys()
        if missing:
            raise CheckpointError(
                f"{source}: its template names {', '.join(sorted(missing))} without giving an id "
                f"in special_tokens. {AGAIN}"
            )


def _templates(processor: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Every TemplateProcessing in a post-processor that the library has accepted."""
    if processor is None:
        return []
    # By keys: the library also takes older files, which leave out the type.
    if "processors" in processor:
        return [found for part in processor["processors"] for found in _templates(part)]
    return [processor] if "single" in processor else []


def _optional(folder: Path, name: str, names: frozenset[str]) -> dict[str, Any]:
    return read_json_object(folder / name) if name in names else {}


def _bert_settings(folder: Path, config: Mapping[str, Any]) -> dict[str, bool | None]:
    """The normaliser settings in ``tokenizer_config.json``, with the defaults of transformers."""
    settings: dict[str, bool | None] = {}
    for key, (written, default) in BERT_SETTINGS.items():
        value = config.get(written, default)
        if not (isinstance(value, bool) or value is default):
            raise CheckpointError(
                f"{folder / 'tokenizer_config.json'}: {written} is {value!r}; "
                "expected true or false"
            )
        settings[key] = value
    return settings


def _is_bert(document: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    normalizer = document.get("normalizer")
    return (
        isinstance(normalizer, dict)
        and normalizer.get("type") == "BertNormalizer"
        and config.get("tokenizer_class") in BERT_CLASSES
    )


def _special_tokens(config: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, str]:
    return {
        role: _content(config.get(role) or saved.get(role) or default)
        for role, default in SPECIAL_TOKENS.items()
    }


def _content(token: Any) -> str:
    """A special token is written as its text or as an object that holds its text."""
    return str(token["content"] if isinstance(token, dict) and "content" in token else token)


def _from_vocabulary(source: Path, settings: Mapping[str, Any], special: Mapping[str, str]) -> str:
    lines = read_text(source).split("\n")
    if lines[-1] == "":
        lines.pop()
    vocabulary = {token: number for number, token in enumerate(lines)}
    for role in NEEDED_TOKENS:
        if special[role] not in vocabulary:
            raise CheckpointError(
                f"{source}: {role} {special[role]!r} is not among its {len(vocabulary):,} tokens; "
                "expected one token a line, special tokens included"
            )
    try:
        return _bert_tokenizer(vocabulary, settings, special).to_str()
    # The library raises plain Exception, e.g. for a special token its template cannot hold.
    except Exception as error:
        raise CheckpointError(
            f"{source}: no tokenizer can be made of it ({error}); expected the vocabulary of a "
            f"BERT model. {AGAIN}"
        ) from error


def _bert_tokenizer(
    vocabulary: dict[str, int], settings: Mapping[str, Any], special: Mapping[str, str]
) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=special["unk_token"]))
    tokenizer.normalizer = BertNormalizer(clean_text=True, **settings)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.decoder = WordPieceDecoder(prefix="##")
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


def _lower_case_first(document: dict[str, Any]) -> None:
    normalizer = document.get("normalizer")
    parts = [] if normalizer is None else [normalizer]
    document["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *parts]}
