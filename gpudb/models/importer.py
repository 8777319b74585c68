"""Bring a checkpoint into the database: all of it, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from os import PathLike
from pathlib import Path
from time import perf_counter

import numpy as np

from gpudb.catalog.blocks import pages
from gpudb.catalog.models import add_tokenizer, add_version
from gpudb.errors import CheckpointError, InputError
from gpudb.models.architecture import Architecture
from gpudb.models.architectures import find_architecture
from gpudb.models.checkpoint import Checkpoint, read_checkpoint
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.formats.weight import Weight
from gpudb.models.names import torch_weights
from gpudb.models.tokenizer import TextTokenizer
from gpudb.plan.node import Node, walk
from gpudb.plan.serialize import plan_to_json
from gpudb.plan.tensor import Scan
from gpudb.progress import progress_bar
from gpudb.store import TensorStore
from gpudb.store.panels import row_panels
from gpudb.types import HostArray, TensorSchema, widen

WEIGHT_DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    name: str
    version: int
    architecture: str
    parameters: int
    tensors: int
    blocks: int
    nbytes: int
    """Bytes of all blocks of this version, shared or not."""
    new_nbytes: int
    """Bytes of pages that had to be written; 0 when every block was stored already."""
    ignored: tuple[str, ...]
    """Weights of the checkpoint that the encoder does not use."""
    nonfinite: Mapping[str, int]
    """NaN and infinite elements by weight."""
    format: str
    """File format of the weights."""
    file: str
    """Name of the file they were read from."""
    unused: tuple[str, ...]
    """Other weight files of the folder, which were not read."""
    seconds: float


def import_model(
    store: TensorStore,
    folder: str | PathLike[str],
    name: str,
    *,
    block: tuple[int, int] | None = None,
    allow_nonfinite: bool = False,
) -> ImportReport:
    """Import a Hugging Face or sentence-transformers folder as a new version of model ``name``.

    Parameters
    ----------
    store
        Where to.
    folder
        Has ``config.json`` and ``model.safetensors``, perhaps in shards; for texts also a
        tokenizer, and ``modules.json`` if sentence-transformers made it.
    name
        What SQL will call the model.
    block
        Rows and columns of the blocks that matrices are cut into; None for row panels.
    allow_nonfinite
        Import weights that hold NaN or infinity, which are an error otherwise.

    Raises
    ------
    InputError
        ``folder``, ``name`` or ``block`` cannot be one.
    CheckpointError
        Something is missing, unexpected, misshapen or not finite; all of it is listed.
    UnsupportedError
        gpudb does not know the architecture or a part of it.
    """
    started = perf_counter()
    _check_block(block)
    checkpoint = read_checkpoint(folder)
    architecture = find_architecture(checkpoint.config)
    weights, ignored = match_weights(checkpoint, architecture)
    nonfinite = _nonfinite(weights)
    if nonfinite and not allow_nonfinite:
        found = ", ".join(f"{weight} ({count})" for weight, count in nonfinite.items())
        raise CheckpointError(
            f"{checkpoint.folder}: NaN or infinity in {found}; the checkpoint is probably broken. "
            "Import it with allow_nonfinite=True if that is what you want"
        )
    schemas = {n: _schema(n, w, block) for n, w in weights.items()}
    plan = architecture.build(checkpoint.config, lambda n: Scan(schemas[n]))
    function = _function(checkpoint, architecture)
    used = _scan_order(plan)
    with store.catalog.transaction():
        before = _page_nbytes(store)
        tokenizer = checkpoint.tokenizer_json
        version = add_version(
            store.catalog,
            name,
            architecture=architecture.name,
            config=checkpoint.config,
            plan=plan_to_json(plan),
            function=asdict(function),
            tokenizer=add_tokenizer(store.catalog, tokenizer) if tokenizer else None,
            dtype=Counter(w.dtype for w in weights.values()).most_common(1)[0][0],
            source=_readable(checkpoint.folder.absolute()),
            parameters=sum(prod(schemas[n].numbers) for n in used),
            nbytes=sum(schemas[n].nbytes for n in used),
        )
        store.put_many(_with_progress(name, used, schemas, weights), version.id)
        new_nbytes = _page_nbytes(store) - before
    return ImportReport(
        name=version.model,
        version=version.number,
        architecture=architecture.name,
        parameters=version.parameters,
        tensors=len(used),
        blocks=sum(schemas[n].blocks for n in used),
        nbytes=version.nbytes,
        new_nbytes=new_nbytes,
        ignored=ignored,
        nonfinite=nonfinite,
        format=checkpoint.opened.format,
        file=checkpoint.opened.path.name,
        unused=checkpoint.opened.others,
        seconds=perf_counter() - started,
    )


def match_weights(
    checkpoint: Checkpoint, architecture: Architecture
) -> tuple[dict[str, Weight], tuple[str, ...]]:
    """Give every weight of the checkpoint its place.

    Returns
    -------
    weights
        Our name -> weight, for every weight of the architecture.
    ignored
        Names of the weights that an encoder does not use.

    Raises
    ------
    CheckpointError
        Weights are missing, unexpected, misshapen, there twice, or of a dtype that gpudb does not
        compute with.
    """
    expected = architecture.weights(checkpoint.config)
    found: dict[str, Weight] = {}
    ignored, problems = [], []
    for torch_name, weight in torch_weights(checkpoint.weights):
        original = weight.name
        name = None if torch_name is None else architecture.rename(torch_name)
        if name is None:
            ignored.append(original)
        elif name not in expected:
            problems.append(f"unexpected: {original} {list(weight.shape)}")
        elif name in found and _are_equal(found[name], weight):
            ignored.append(original)  # one weight under both of its names
        elif name in found:
            problems.append(f"twice: {original} and {found[name].name}")
        else:
            found[name] = weight
            if weight.shape != expected[name]:
                problems.append(
                    f"misshapen: {original} is {list(weight.shape)}, "
                    f"expected {list(expected[name])}"
                )
            if weight.dtype not in WEIGHT_DTYPES:
                problems.append(
                    f"dtype: {original} is {weight.dtype}, expected one of "
                    f"{', '.join(WEIGHT_DTYPES)}"
                )
    problems += [
        f"missing: {name} {list(shape)}" for name, shape in expected.items() if name not in found
    ]
    if problems:
        lines = "\n  ".join(problems)
        raise CheckpointError(
            f"{checkpoint.folder}: the weights do not fit architecture {architecture.name!r} as "
            f"config.json describes it; nothing was imported. Check that config.json and the "
            f"weights belong together.\n  {lines}"
        )
    return found, tuple(ignored)


def _are_equal(one: Weight, other: Weight) -> bool:
    return (one.shape, one.dtype) == (other.shape, other.dtype) and np.array_equal(
        one.array(), other.array()
    )


def _schema(name: str, weight: Weight, block: tuple[int, int] | None) -> TensorSchema:
    if block is None or len(weight.shape) != 2:
        return TensorSchema(
            name, weight.shape, row_panels(weight.shape, weight.dtype), weight.dtype
        )
    return TensorSchema(name, weight.shape, tuple(block), weight.dtype)


def _check_block(block: object) -> None:
    if block is None:
        return
    if not (
        isinstance(block, tuple | list)
        and len(block) == 2
        and all(type(extent) is int and extent >= 1 for extent in block)
    ):
        raise InputError(f"block is {block!r}; expected two whole numbers of at least 1")


def _scan_order(plan: Node) -> tuple[str, ...]:
    """Names in the order the plan reads them: what is used together is stored together."""
    return tuple(dict.fromkeys(n.tensor.name for n in walk(plan) if isinstance(n, Scan)))


def _function(checkpoint: Checkpoint, architecture: Architecture) -> EmbedFunction:
    """The checkpoint's own, with texts cut to what the encoder has positions for."""
    function = checkpoint.function
    limits = [function.max_tokens, architecture.positions(checkpoint.config)]
    longest = min((limit for limit in limits if limit is not None), default=None)
    if architecture.reads == "tokens" and checkpoint.tokenizer_json is not None:
        tokenizer = _tokenizer(checkpoint.folder, checkpoint.tokenizer_json, longest)
        rows = checkpoint.config.get("vocab_size")
        if isinstance(rows, int) and tokenizer.id_count > rows:
            raise CheckpointError(
                f"{checkpoint.folder}: the tokenizer has ids up to {tokenizer.id_count - 1}, the "
                f"model's vocabulary has {rows}; use the tokenizer the model was trained with"
            )
    return replace(function, max_tokens=longest)


def _tokenizer(folder: Path, text: str, longest: int | None) -> TextTokenizer:
    try:
        return TextTokenizer(text, longest)
    except InputError as error:
        raise CheckpointError(
            f"{folder}: {error}; raise max_seq_length, or use a model with more positions"
        ) from error


def _readable(path: Path) -> str:
    """The path as Unicode; bytes of names that are none are written as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _nonfinite(weights: Mapping[str, Weight]) -> dict[str, int]:
    counts = {
        name: int(np.count_nonzero(~np.isfinite(widen(weight.array(), weight.dtype))))
        for name, weight in weights.items()
    }
    return {name: count for name, count in counts.items() if count}


def _with_progress(
    model: str,
    names: tuple[str, ...],
    schemas: Mapping[str, TensorSchema],
    weights: Mapping[str, Weight],
) -> Iterator[tuple[TensorSchema, HostArray]]:
    with progress_bar(f"importing {model}", len(names), "tensors") as advance:
        for name in names:
            yield schemas[name], weights[name].array()
            advance(1)


def _page_nbytes(store: TensorStore) -> int:
    return sum(page.nbytes for page in pages(store.catalog))
