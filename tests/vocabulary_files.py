"""Small vocabularies of every kind, learned from docstrings, in the files they come in."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from string import ascii_lowercase

from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import ByteLevel, Metaspace, WhitespaceSplit
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.trainers import BpeTrainer, UnigramTrainer

from tests.models.tensorflow_files import message, number, varint
from tests.oracles.texts import real_texts

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4

Piece = tuple[str, float, int]
"""Text, score and kind."""

ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
DEBERTA_TOKENS = ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]")
BYTE_LEVEL_TOKENS = {
    "roberta": ROBERTA_TOKENS,
    "deberta": DEBERTA_TOKENS,
    "gpt2": ("<|endoftext|>",),
}
FIRST_PIECES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "albert": (
        ("<pad>", CONTROL), ("<unk>", UNKNOWN), ("[CLS]", CONTROL), ("[SEP]", CONTROL),
        ("[MASK]", USER_DEFINED),
    ),
    "camembert": (("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)),
    "deberta-v2": (
        ("[PAD]", CONTROL), ("[CLS]", CONTROL), ("[SEP]", CONTROL), ("[UNK]", UNKNOWN),
    ),
    "t5": (("<pad>", CONTROL), ("</s>", CONTROL), ("<unk>", UNKNOWN)),
    "xlm-roberta": (("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)),
}  # fmt: skip
"""What stands before the learned pieces, by ``model_type``."""


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def byte_level_folder(folder: Path, model_type: str = "roberta") -> Path:
    """``vocab.json`` and ``merges.txt``."""
    folder.mkdir(exist_ok=True)
    special = {"roberta": ROBERTA_TOKENS, "gpt2": ("<|endoftext|>",)}.get(
        model_type, DEBERTA_TOKENS
    )
    _byte_level(special).model.save(str(folder))
    write_json(folder / "config.json", {"model_type": model_type})
    return folder


@cache
def _byte_level(special: tuple[str, ...]) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=500,
        special_tokens=list(special),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(real_texts()[:200], trainer)
    return tokenizer


def clip_folder(folder: Path) -> Path:
    """``vocab.json`` and ``merges.txt`` as CLIP's: small letters, and every byte at two places."""
    folder.mkdir(exist_ok=True)
    tokenizer = Tokenizer(BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(vocab_size=700, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(real_texts()[:200], trainer)
    tokenizer.model.save(str(folder))
    merges = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    letters, learned = sorted(ByteLevel.alphabet()), [pair.replace(" ", "") for pair in merges]
    words = [*letters, *(f"{c}</w>" for c in letters), *learned, "<|startoftext|>", "<|endoftext|>"]
    write_json(folder / "vocab.json", {word: number for number, word in enumerate(words)})
    write_json(folder / "config.json", {"model_type": "clip"})
    return folder


@cache
def unigram() -> Tokenizer:
    """A unigram model by itself; its first piece is the unknown one."""
    tokenizer = Tokenizer(Unigram())
    tokenizer.pre_tokenizer = Steps([WhitespaceSplit(), Metaspace()])
    trainer = UnigramTrainer(
        vocab_size=300, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(real_texts()[:200], trainer)
    return tokenizer


def pieces(model_type: str) -> list[Piece]:
    """Pieces as SentencePiece would have them in a file of this kind."""
    learned = json.loads(unigram().to_str())["model"]["vocab"][1:]
    first = [(text, 0.0, kind) for text, kind in FIRST_PIECES[model_type]]
    return [*first, *((text, score, NORMAL) for text, score in learned)]


def model_file(found: Sequence[Piece], algorithm: int = 1, more: bytes = b"") -> bytes:
    """A ModelProto; ``more`` are fields of its trainer."""
    content = b""
    for text, score, kind in found:
        fields = message(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score)
        content += message(1, fields + (number(3, kind) if kind != NORMAL else b""))
    return content + message(2, number(3, algorithm) + more)


def unigram_folder(folder: Path, model_type: str, name: str = "spiece.model") -> Path:
    """A model file of SentencePiece."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(model_file(pieces(model_type)))
    write_json(folder / "config.json", {"model_type": model_type})
    return folder


def word_piece_folder(folder: Path, model_type: str = "mpnet") -> Path:
    """``vocab.txt``, with letters and hardly a word."""
    folder.mkdir(exist_ok=True)
    special = ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")
    if model_type != "mpnet":
        special = DEBERTA_TOKENS
    words = [*special, "the", "##he", *ascii_lowercase, *(f"##{c}" for c in ascii_lowercase)]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    write_json(folder / "config.json", {"model_type": model_type})
    return folder


FOLDERS: Mapping[str, Callable[[Path], Path]] = {
    "roberta": byte_level_folder,
    "deberta": lambda folder: byte_level_folder(folder, "deberta"),
    "gpt2": lambda folder: byte_level_folder(folder, "gpt2"),
    "clip": clip_folder,
    "mpnet": word_piece_folder,
    "distilbert": lambda folder: word_piece_folder(folder, "distilbert"),
    "electra": lambda folder: word_piece_folder(folder, "electra"),
    "xlm-roberta": lambda folder: unigram_folder(folder, "xlm-roberta", "sentencepiece.bpe.model"),
    "camembert": lambda folder: unigram_folder(folder, "camembert", "sentencepiece.bpe.model"),
    "albert": lambda folder: unigram_folder(folder, "albert"),
    "t5": lambda folder: unigram_folder(folder, "t5"),
    "deberta-v2": lambda folder: unigram_folder(folder, "deberta-v2", "spm.model"),
}
"""Model type -> what writes its folder, without ``tokenizer.json``."""
