"""The tokenizer of a model folder, whatever its files, as the text of one ``tokenizer.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import (
    AGAIN,
    MAKE_TOKENIZER_JSON,
    file_names,
    parse_json,
    read_json_object,
    read_text,
)
from gpudb.models.vocabularies import byte_level, sentencepiece
from gpudb.models.vocabularies.added_tokens import read_added_tokens
from gpudb.models.vocabularies.word_piece import MPNET, bert_tokenizer, mpnet_tokenizer

WORD_PIECE_CLASSES = (
    None, "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MPNetTokenizer",
)  # fmt: skip

KINDS: Mapping[str, str] = {
    "albert": "AlbertTokenizer",
    "bart": "RobertaTokenizer",
    "camembert": "CamembertTokenizer",
    "clip": "CLIPTokenizer",
    "clip_text_model": "CLIPTokenizer",
    "clip_vision_model": "CLIPTokenizer",
    "deberta": "DebertaTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "gpt2": "GPT2Tokenizer",
    "mpnet": "MPNetTokenizer",
    "mt5": "T5Tokenizer",
    "roberta": "RobertaTokenizer",
    "t5": "T5Tokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
}
"""``model_type`` of ``config.json`` -> class of the tokenizer, where no file names it."""
FAMILIES = {**byte_level.FAMILIES, **sentencepiece.FAMILIES, "MPNetTokenizer": MPNET}
TRUNCATED_LEFT = {"direction": "Left", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
SPECIAL_TOKENS: Mapping[str, str] = {
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

    Read from ``tokenizer.json``, else from ``vocab.txt``, else from ``vocab.json`` and
    ``merges.txt`` or a model file of SentencePiece, with the settings of ``tokenizer_config.json``.
    ``lower_case`` puts lower-casing before everything else. The side on which long texts are cut
    is that of ``truncation`` in the result.

    Raises
    ------
    CheckpointError
        The files are not what their names say, or the vocabulary lacks a special token.
    UnsupportedError
        There are only files of which gpudb cannot make a tokenizer.
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
        document = json.loads(_from_vocabulary(source, config, names))
    elif found := _from_other_files(folder, config, names):
        source, document = found[0], json.loads(found[1])
    else:
        return None
    _set_truncation(document, config, folder)
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
    usual = dict(SPECIAL_TOKENS)
    if family := FAMILIES.get(_kind(folder, config, names)):
        usual |= {f"{role}_token": token for role, token in family.tokens.items()}
    return _special_tokens(config, saved, usual)["mask_token"]


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
        and _class(config) in WORD_PIECE_CLASSES
    )


def _class(config: Mapping[str, Any]) -> str | None:
    """The class of the tokenizer; since transformers 5 those called Fast are the same ones."""
    found = config.get("tokenizer_class")
    return found.removesuffix("Fast") if isinstance(found, str) else None


def _kind(folder: Path, config: Mapping[str, Any], names: frozenset[str]) -> str:
    """The class of the tokenizer, that of its kind of model where no file names it."""
    found = _class(config)
    if found is None:
        found = KINDS.get(str(_optional(folder, "config.json", names).get("model_type")))
    return "RobertaTokenizer" if found == "BartTokenizer" else str(found)


def _special_tokens(
    config: Mapping[str, Any],
    saved: Mapping[str, Any],
    usual: Mapping[str, str] = SPECIAL_TOKENS,
) -> dict[str, str]:
    """Role -> token, that of ``usual`` where no file names one."""
    return {
        role: _content(config.get(role) or saved.get(role) or default)
        for role, default in usual.items()
    }


def _content(token: Any) -> str:
    """A special token is written as its text or as an object that holds its text."""
    return str(token["content"] if isinstance(token, dict) and "content" in token else token)


def _from_vocabulary(source: Path, config: Mapping[str, Any], names: frozenset[str]) -> str:
    folder = source.parent
    settings = _bert_settings(folder, config)
    lines = read_text(source).split("\n")
    if lines[-1] == "":
        lines.pop()
    vocabulary = {token: number for number, token in enumerate(lines)}
    if is_mpnet := _kind(folder, config, names) == "MPNetTokenizer":
        added = read_added_tokens(folder, config, MPNET)
        special = {f"{role}_token": added.name(role) for role in MPNET.tokens}
    else:
        special = _special_tokens(config, _optional(folder, "special_tokens_map.json", names))
    for role in NEEDED_TOKENS:
        if special[role] not in vocabulary:
            raise CheckpointError(
                f"{source}: {role} {special[role]!r} is not among its {len(vocabulary):,} tokens; "
                "expected one token a line, special tokens included"
            )
    try:
        if is_mpnet:
            return str(mpnet_tokenizer(vocabulary, settings, added).to_str())
        return str(bert_tokenizer(vocabulary, settings, special).to_str())
    except CheckpointError:
        raise
    # The library raises plain Exception, e.g. for a special token its template cannot hold.
    except Exception as error:
        raise CheckpointError(
            f"{source}: no tokenizer can be made of it ({error}); expected the vocabulary of a "
            f"BERT model. {AGAIN}"
        ) from error


def _from_other_files(
    folder: Path, config: Mapping[str, Any], names: frozenset[str]
) -> tuple[Path, str] | None:
    """The file that a tokenizer was made of, and the tokenizer; None if there is none."""
    found = [name for name in ("vocab.json", *sentencepiece.FILES) if name in names]
    if not found:
        return None
    kind = _kind(folder, config, names)
    if kind in byte_level.FAMILIES and "vocab.json" in names:
        return folder / "vocab.json", byte_level.byte_level_bpe(folder, kind, config)
    pieces = [name for name in found if name in sentencepiece.FILES]
    if kind in sentencepiece.FAMILIES and pieces:
        return folder / pieces[0], sentencepiece.unigram(folder / pieces[0], kind, config)
    known = ", ".join([*byte_level.FAMILIES, *sentencepiece.FAMILIES])
    raise UnsupportedError(
        f"{folder}: found {' and '.join(found)} of a tokenizer of class {kind}; gpudb reads these "
        f"files of {known}. {MAKE_TOKENIZER_JSON}"
    )


def _set_truncation(document: dict[str, Any], config: Mapping[str, Any], folder: Path) -> None:
    """The side on which long texts are cut, where ``tokenizer_config.json`` says it."""
    side = config.get("truncation_side")
    if side is None:
        return
    if side not in ("left", "right"):
        raise CheckpointError(
            f"{folder / 'tokenizer_config.json'}: truncation_side is {side!r}; expected left or "
            "right"
        )
    document["truncation"] = TRUNCATED_LEFT if side == "left" else None


def _lower_case_first(document: dict[str, Any]) -> None:
    normalizer = document.get("normalizer")
    parts = [] if normalizer is None else [normalizer]
    document["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *parts]}
