"""A model folder as Hugging Face and sentence-transformers write it, read but not understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from gpudb.errors import CheckpointError, InputError
from gpudb.models.dense import Dense
from gpudb.models.dense_folder import read_dense
from gpudb.models.embed_function import EmbedFunction, read_sentence_model
from gpudb.models.files import file_names, read_json_object
from gpudb.models.formats.format import OpenedWeights
from gpudb.models.formats.opening import open_weights
from gpudb.models.formats.weight import Weight
from gpudb.models.tokenizer_files import read_mask_token, read_pair_types, read_tokenizer

BERT_CONFIG = "bert_config.json"
"""What Google's first TensorFlow checkpoints have: all of them BERT, which they do not say."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What lies in a model folder.

    Parameters
    ----------
    folder
        The model folder.
    encoder
        The folder in it of what belongs to the encoder; mostly the same.
    config
        ``config.json`` (or ``bert_config.json``): the architecture and its sizes.
    opened
        The weights, and what else lies beside them.
    tokenizer_json
        The tokenizer as the text of a ``tokenizer.json``; None if the folder has none gpudb reads.
    function
        What turns the encoder's output into one vector per text.
    mask_token
        Text of the token that stands for a word to be guessed.
    pair_types
        Whether the model is told which text of a pair a token is of.
    activation
        The class that sentence-transformers makes scores of pairs with; None for its default.
    dense
        Linear steps after the pooling.
    says_pooling
        ``modules.json`` says how vectors are made; otherwise the architecture does.
    """

    folder: Path
    encoder: Path
    config: dict[str, Any]
    opened: OpenedWeights
    tokenizer_json: str | None
    function: EmbedFunction
    mask_token: str = "[MASK]"
    pair_types: bool = True
    activation: str | None = None
    dense: tuple[Dense, ...] = ()
    says_pooling: bool = False

    @property
    def weights(self) -> Mapping[str, Weight]:
        """Name -> tensor."""
        return self.opened.weights


def read_checkpoint(folder: str | PathLike[str]) -> Checkpoint:
    """Read a model folder; weights are only mapped.

    Raises
    ------
    InputError
        ``folder`` is no path.
    CheckpointError
        The folder or one of its files is missing, damaged, or contradicts another.
    UnsupportedError
        It is whole, but holds weights, modules or settings that gpudb does not read or compute.
    """
    if not isinstance(folder, (str, PathLike)):
        raise InputError(
            f"folder is a {type(folder).__name__}; expected the path of a model folder, as text "
            "or a pathlib.Path"
        )
    path = Path(folder)
    model = read_sentence_model(path)
    return Checkpoint(
        folder=path,
        encoder=model.encoder,
        config=_read_config(model.encoder),
        opened=open_weights(model.encoder),
        tokenizer_json=read_tokenizer(model.encoder, lower_case=model.lower_case),
        function=model.function,
        mask_token=read_mask_token(model.encoder),
        pair_types=read_pair_types(model.encoder),
        activation=model.activation,
        dense=tuple(read_dense(path, number) for number, path in enumerate(model.dense)),
        says_pooling=model.says_pooling,
    )


def _read_config(folder: Path) -> dict[str, Any]:
    names = file_names(folder)
    if "config.json" in names:
        return read_json_object(folder / "config.json")
    if BERT_CONFIG in names:
        return {**read_json_object(folder / BERT_CONFIG), "model_type": "bert"}
    if gguf := sorted(name for name in names if name.endswith(".gguf")):
        raise CheckpointError(
            f"{folder}: found {gguf[0]} without config.json; gpudb reads weights from GGUF files, "
            "not what they say of the model. Put config.json and the tokenizer's files of the "
            "model that it was made from beside it"
        )
    raise CheckpointError(
        f"{folder}: no config.json; expected a Hugging Face model folder with "
        "config.json, model.safetensors and tokenizer.json"
    )
