"""Tokenizers of every family, trained on a few sentences."""

from __future__ import annotations

from typing import Any

SENTENCES = [
    "The cat sat on the mat in Berlin, and Ada Lovelace wrote to Charles Babbage.",
    "A naïve café-goer paid 3.50 € for Kaffee; the dog ran away from New York City.",
    "Whether the weather be fine, or whether the weather be not: we weather the weather.",
    "東京 is far from Zürich. Do you like cats? I like dogs, trains and short sentences!",
]
LARGEST = 360
"""Words of a vocabulary at most: 256 bytes, special tokens, and some that were learnt."""

ROLES = ("cls_token", "pad_token", "sep_token", "unk_token", "mask_token")
BRACKETS = ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]")
ANGLES = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
PADDING = 1
"""Number of the token; transformers counts places from it in some models."""


def trained(family: str, longest: int, types: bool) -> Any:
    """A tokenizer for transformers.

    Parameters
    ----------
    family
        ``wordpiece``, ``bytes`` (byte-level BPE, as RoBERTa has it) or ``unigram``.
    longest
        Its ``model_max_length``.
    types
        Whether models are told which text of a pair a token is of.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = ANGLES if family == "bytes" else BRACKETS
    cls, _, sep, unknown, _ = special
    shared = {"vocab_size": LARGEST, "special_tokens": list(special), "show_progress": False}
    trainer: Any
    if family == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(**shared)
    elif family == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(**shared, initial_alphabet=alphabet)
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(**shared, unk_token=unknown)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    between = f"{sep} {sep} $B" if family == "bytes" else f"{sep}:0 $B:1"
    last = f"{sep}" if family == "bytes" else f"{sep}:1"
    tokenizer.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {between} {last}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=longest,
        model_input_names=["input_ids", "attention_mask", *["token_type_ids"] * types],
        **dict(zip(ROLES, special, strict=True)),
    )
