"""Byte-level BPE from ``vocab.json`` and ``merges.txt``: tokens are made of bytes, none is unknown.

Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.normalizers import NFC, Lowercase, Replace, Sequence
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.processors import RobertaProcessing

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import AGAIN, MAKE_TOKENIZER_JSON, file_names
from gpudb.models.vocabularies.added_tokens import Family, around, read_added_tokens

_ROBERTA_TOKENS = {
    "bos": "<s>", "eos": "</s>", "unk": "<unk>", "sep": "</s>", "pad": "<pad>", "cls": "<s>",
    "mask": "<mask>",
}  # fmt: skip
_DEBERTA_TOKENS = {
    "bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]",
    "mask": "[MASK]",
}  # fmt: skip

_END = "<|endoftext|>"

_CLIP = "CLIPTokenizer"
_CLIP_WORDS = Regex(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)

FAMILIES: Mapping[str, Family] = {
    "GPT2Tokenizer": Family({"bos": _END, "eos": _END, "unk": _END}, "$A", "$A $B:1"),
    _CLIP: Family(
        {"bos": "<|startoftext|>", "eos": _END, "unk": _END, "pad": _END},
        "{bos} $A {eos}",
        "{bos} $A {eos} {eos} $B {eos}",
    ),
    "RobertaTokenizer": Family(_ROBERTA_TOKENS, "{cls} $A {sep}", "{cls} $A {sep} {sep} $B {sep}"),
    "DebertaTokenizer": Family(_DEBERTA_TOKENS, "{cls} $A {sep}", "{cls} $A {sep} {sep} $B {sep}"),
}
"""By class of the tokenizer."""


def byte_level_bpe(folder: Path, kind: str, config: Mapping[str, Any]) -> str:
    """A ``tokenizer.json`` of ``vocab.json`` and ``merges.txt``.

    Parameters
    ----------
    folder
        Where they are.
    kind
        The class of the tokenizer, one of :data:`FAMILIES`.
    config
        Its ``tokenizer_config.json``.

    Raises
    ------
    CheckpointError
        A file is missing or damaged, or the files contradict each other.
    UnsupportedError
        The settings put other tokens around texts than the family does.
    """
    family = FAMILIES[kind]
    for key in ("add_bos_token", "add_eos_token"):
        if config.get(key):
            raise UnsupportedError(
                f"{folder / 'tokenizer_config.json'}: {key} is {config[key]!r}, which gpudb reads "
                f"in a tokenizer.json only. {MAKE_TOKENIZER_JSON}"
            )
    if missing := {"vocab.json", "merges.txt"} - file_names(folder):
        raise CheckpointError(
            f"{folder}: a {kind} needs vocab.json and merges.txt, or tokenizer.json; there is no "
            f"{' and no '.join(sorted(missing))}. {AGAIN}"
        )
    added = read_added_tokens(folder, config, family)
    ends = {"end_of_word_suffix": "</w>", "unk_token": added.name("unk")} if kind == _CLIP else {}
    # The library raises plain Exception for anything wrong in the files.
    try:
        model = BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"), **ends)
    except Exception as error:
        raise CheckpointError(
            f"{folder}: vocab.json and merges.txt are no byte-level BPE ({error}); expected an "
            f"object of tokens and ids, and two tokens a line. {AGAIN}"
        ) from error
    tokenizer = Tokenizer(model)
    spaced = config.get("add_prefix_space") is True
    if kind == _CLIP:
        tokenizer.normalizer = Sequence([NFC(), Replace(Regex(r"\s+"), " "), Lowercase()])
        words = Split(_CLIP_WORDS, "removed", invert=True)
        tokenizer.pre_tokenizer = Steps([words, ByteLevel(add_prefix_space=False)])
    else:
        tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=spaced)
    tokenizer.decoder = ByteLevelDecoder()
    added.add_to(tokenizer)
    if kind == "RobertaTokenizer":
        # As the template, but a token's place in the text is without the space before it.
        sep, cls = (added.with_id(role, tokenizer) for role in ("sep", "cls"))
        tokenizer.post_processor = RobertaProcessing(sep, cls, True, spaced)
    else:
        tokenizer.post_processor = around(family, tokenizer, added)
    return str(tokenizer.to_str())
