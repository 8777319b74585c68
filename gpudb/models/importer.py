"""Bring a checkpoint into the database: all of it, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from os import PathLike
from pathlib import Path
from time import perf_counter

import numpy as np

from gpudb.catalog import StoredTensor
from gpudb.catalog.blocks import pages
from gpudb.catalog.heads import add_head
from gpudb.catalog.models import add_tokenizer, add_version, drop_version
from gpudb.catalog.tensors import record_error
from gpudb.errors import CheckpointError, InputError
from gpudb.models.accuracy import Cosines, compare_vectors, scan_as_it_lies
from gpudb.models.architecture import Architecture
from gpudb.models.architectures import find_architecture
from gpudb.models.checkpoint import Checkpoint, read_checkpoint
from gpudb.models.checkpoint_head import head_of, our_names, stored_head
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.formats.weight import Weight
from gpudb.models.heads import FoundHead
from gpudb.models.image_column import stored_settings
from gpudb.models.limits import Limits
from gpudb.models.plans import build_plans
from gpudb.models.tokenizer import TextTokenizer
from gpudb.models.towers import one_tower
from gpudb.models.weight_dtypes import (
    StoredWeight,
    check_dtype,
    check_range,
    converted,
    stored_weight,
)
from gpudb.plan.serialize import plan_to_json
from gpudb.progress import progress_bar
from gpudb.store import TensorStore
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
    """Weights of the checkpoint that no plan uses."""
    head: str | None
    """What the model answers beside ``embed``: ``classify``, ``tag``, ``fill_mask`` or nothing."""
    labels: tuple[str, ...]
    """Of that head."""
    nonfinite: Mapping[str, int]
    """NaN and infinite elements by weight."""
    format: str
    """File format of the weights."""
    file: str
    """The file they were read from, as a path within the folder."""
    unused: tuple[str, ...]
    """Other weight files of the folder, which were not read."""
    seconds: float
    dtypes: Mapping[str, int]
    """Bytes of all blocks by dtype."""
    errors: Mapping[str, float]
    """Relative Frobenius error of each weight that was rounded."""
    cosines: Cosines | None
    """Of vectors with those of the model as it came; None where nothing was rounded, where the
    model has no tokenizer, or where it does not fit the memory limit."""


def import_model(
    store: TensorStore,
    folder: str | PathLike[str],
    name: str,
    *,
    limits: Limits | None = None,
    block: tuple[int, int] | None = None,
    allow_nonfinite: bool = False,
    dtype: str | None = None,
    tower: str | None = None,
) -> ImportReport:
    """Import a Hugging Face or sentence-transformers folder as a new version of model ``name``.

    Parameters
    ----------
    store
        Where to.
    folder
        Has ``config.json`` and weights (``docs/formats.md``); for texts also a
        tokenizer, and ``modules.json`` if sentence-transformers made it.
    name
        What SQL will call the model.
    limits
        What measuring accuracy may take; None for one thread and all memory.
    block
        Rows and columns of the blocks that matrices are cut into; None for row panels.
    allow_nonfinite
        Import weights that hold NaN or infinity, which are an error otherwise.
    dtype
        What matrices are stored as, see :mod:`gpudb.models.weight_dtypes`; None for the dtype they
        come in.
    tower
        Which encoder of a checkpoint that has two, ``"text"`` or ``"image"``; None for others.

    Raises
    ------
    InputError
        ``folder``, ``name``, ``block``, ``dtype`` or ``tower`` cannot be one.
    CheckpointError
        Something is missing, unexpected, misshapen or not finite; all of it is listed.
    UnsupportedError
        gpudb does not know the architecture or a part of it.
    """
    started = perf_counter()
    _check_block(block)
    check_dtype(dtype)
    checkpoint = one_tower(read_checkpoint(folder), tower)
    architecture = find_architecture(checkpoint.config)
    head = head_of(checkpoint, architecture)
    weights, ignored = match_weights(checkpoint, architecture, head)
    weights |= {name: w for module in checkpoint.dense for name, w in module.weights.items()}
    nonfinite = _nonfinite(weights)
    if nonfinite and not allow_nonfinite:
        found = ", ".join(f"{weight} ({count})" for weight, count in nonfinite.items())
        raise CheckpointError(
            f"{checkpoint.folder}: NaN or infinity in {found}; the checkpoint is probably broken. "
            "Import it with allow_nonfinite=True if that is what you want"
        )
    stored = {n: stored_weight(n, w, block, dtype) for n, w in weights.items()}
    check_range(stored, checkpoint.folder)
    plans = build_plans(checkpoint, architecture, head, lambda n: stored[n].scan())
    function = _function(checkpoint, architecture)
    if plans.dense is not None:
        function = replace(function, dense=plan_to_json(plans.dense))
    used = {n: stored[n] for n in plans.weights}
    schemas = [schema for weight in used.values() for schema in weight.schemas]
    nbytes = _nbytes_by_dtype(schemas)
    errors: dict[str, float] = {}
    cosines: Cosines | None = None
    with store.catalog.transaction():
        before = _page_nbytes(store)
        tokenizer = checkpoint.tokenizer_json if architecture.reads == "tokens" else None
        version = add_version(
            store.catalog,
            name,
            architecture=architecture.name,
            config=checkpoint.config,
            plan=plan_to_json(plans.hidden),
            function=asdict(function),
            tokenizer=add_tokenizer(store.catalog, tokenizer) if tokenizer else None,
            dtype=_most_common_dtype(used),
            source=_readable(checkpoint.folder.absolute()),
            parameters=sum(prod(w.schema.numbers) for w in used.values()),
            nbytes=sum(nbytes.values()),
        )
        tensors = store.put_many(_with_progress(name, used, errors), version.id)
        _record_errors(store, tensors, errors)
        if head is not None and plans.head is not None:
            add_head(store.catalog, version.id, stored_head(checkpoint, head, plans.head))
        new_nbytes = _page_nbytes(store) - before
    # Not in the transaction, which other threads would wait for.
    if errors and tokenizer is not None:
        original = build_plans(
            checkpoint, architecture, None, lambda n: scan_as_it_lies(n, weights[n])
        )
        try:
            cosines = compare_vectors(store, version, original, weights, limits)
        except BaseException:
            drop_version(store.catalog, version.label)
            raise
    return ImportReport(
        name=version.model,
        version=version.number,
        architecture=architecture.name,
        parameters=version.parameters,
        tensors=len(schemas),
        blocks=sum(schema.blocks for schema in schemas),
        nbytes=version.nbytes,
        new_nbytes=new_nbytes,
        ignored=ignored,
        head=head.head.kind if head is not None else None,
        labels=head.labels if head is not None else (),
        nonfinite=nonfinite,
        format=checkpoint.opened.format,
        file=checkpoint.opened.file,
        unused=checkpoint.opened.others,
        seconds=perf_counter() - started,
        dtypes=nbytes,
        errors=errors,
        cosines=cosines,
    )


def match_weights(
    checkpoint: Checkpoint, architecture: Architecture, head: FoundHead | None = None
) -> tuple[dict[str, Weight], tuple[str, ...]]:
    """Give every weight of the checkpoint its place.

    Returns
    -------
    weights
        Our name -> weight, for every weight of the architecture and the head.
    ignored
        Names of the weights that are neither's.

    Raises
    ------
    CheckpointError
        Weights are missing, unexpected, misshapen, there twice, or of a dtype that gpudb does not
        compute with.
    """
    expected = architecture.weights(checkpoint.config)
    if head is not None:
        expected = expected | head.head.weights(checkpoint.config, head.outputs)
    found: dict[str, Weight] = {}
    ignored, problems = [], []
    for name, weight in our_names(checkpoint, architecture):
        original = weight.name
        if name is None or (name not in expected and name.startswith(architecture.head_names)):
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


def _check_block(block: object) -> None:
    if block is None:
        return
    if not (
        isinstance(block, tuple | list)
        and len(block) == 2
        and all(type(extent) is int and extent >= 1 for extent in block)
    ):
        raise InputError(f"block is {block!r}; expected two whole numbers of at least 1")


def _function(checkpoint: Checkpoint, architecture: Architecture) -> EmbedFunction:
    """The checkpoint's own, with texts cut to what the encoder has positions for."""
    function = checkpoint.function
    if architecture.pooling is not None and not checkpoint.says_pooling:
        function = replace(function, pooling=architecture.pooling)
    if architecture.reads == "images":
        images = stored_settings(checkpoint.encoder, checkpoint.config)
        function = replace(function, images=images)
    # The tokenizer of a tower of images is that of the other one.
    tokens = function.max_tokens if architecture.reads == "tokens" else None
    limits = [tokens, architecture.positions(checkpoint.config)]
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
    model: str, weights: Mapping[str, StoredWeight], errors: dict[str, float]
) -> Iterator[tuple[TensorSchema, HostArray]]:
    """The tensors of all weights, made one weight at a time; ``errors`` gets what rounding did."""
    with progress_bar(f"importing {model}", len(weights), "weights") as advance:
        for name, weight in weights.items():
            made = converted(weight)
            if made.error is not None:
                errors[name] = made.error
            yield from zip(weight.schemas, made.values, strict=True)
            del made  # or two weights would be in memory while the next one is made
            advance(1)


def _nbytes_by_dtype(schemas: Iterable[TensorSchema]) -> dict[str, int]:
    nbytes: Counter[str] = Counter()
    for schema in schemas:
        nbytes[schema.dtype] += schema.nbytes
    return dict(nbytes.most_common())


def _most_common_dtype(weights: Mapping[str, StoredWeight]) -> str:
    """The dtype of most elements; vectors are many, but short."""
    elements: Counter[str] = Counter()
    for weight in weights.values():
        elements[weight.schema.dtype] += prod(weight.schema.numbers)
    return elements.most_common(1)[0][0]


def _record_errors(
    store: TensorStore, tensors: Iterable[StoredTensor], errors: Mapping[str, float]
) -> None:
    for stored in tensors:
        if stored.schema.name in errors:
            record_error(store.catalog, stored.id, errors[stored.schema.name])


def _page_nbytes(store: TensorStore) -> int:
    return sum(page.nbytes for page in pages(store.catalog))
