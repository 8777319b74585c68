"""The models of a database: import them, open them, run them by name."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from threading import Lock

import numpy as np

from gpudb.backend import Backend
from gpudb.catalog import models as catalog_models
from gpudb.catalog.tensors import tensor
from gpudb.errors import InputError
from gpudb.exec.explain import explain as explain_physical
from gpudb.models.architectures import ARCHITECTURES
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.encoder import Encoder, Limits
from gpudb.models.importer import ImportReport, import_model
from gpudb.models.statistics import InferStatistics
from gpudb.models.text_column import as_text_column
from gpudb.models.tokenizer import TextTokenizer
from gpudb.plan.explain import explain as explain_logical
from gpudb.plan.node import walk
from gpudb.plan.rules import optimize
from gpudb.plan.tensor import Gather, Input
from gpudb.store import TensorStore
from gpudb.types import HostArray, TensorSchema


class ModelLibrary:
    """Models by name; what has been opened stays open."""

    def __init__(self, store: TensorStore, backend: Backend, limits: Limits) -> None:
        self._store = store
        self._backend = backend
        self._limits = limits
        self._open: dict[tuple[object, ...], Encoder] = {}
        self._lock = Lock()

    def import_model(
        self,
        folder: str | PathLike[str],
        name: str,
        *,
        block: tuple[int, int] | None = None,
        allow_nonfinite: bool = False,
    ) -> ImportReport:
        """See :func:`gpudb.models.importer.import_model`."""
        return import_model(self._store, folder, name, block=block, allow_nonfinite=allow_nonfinite)

    def names(self) -> list[str]:
        """All models."""
        return catalog_models.model_names(self._store.catalog)

    def drop(self, name: str) -> None:
        """Forget a model, or one version of it (``"name@2"``)."""
        if "@" in name:
            catalog_models.drop_version(self._store.catalog, name)
        else:
            catalog_models.drop_model(self._store.catalog, name)
        with self._lock:
            self._open.clear()

    def encoder(self, name: str) -> Encoder:
        """The newest version of a model, or the one named ``"name@2"``, ready to run."""
        catalog = self._store.catalog
        version = catalog_models.version(catalog, name)
        key = (version.id, version.created)  # SQLite may give the id of a dropped version again
        with self._lock:
            if key not in self._open:
                function = EmbedFunction(**version.function)
                text = (
                    None
                    if version.tokenizer is None
                    else catalog_models.tokenizer(catalog, version.tokenizer)
                )

                def load(schema: TensorSchema) -> tuple[HostArray, ...]:
                    stored = self._store.read(tensor(catalog, schema.name, version.id))
                    return stored.runs

                self._open[key] = Encoder(
                    version=version,
                    backend=self._backend,
                    limits=self._limits,
                    load=load,
                    tokenizer=TextTokenizer(text, function.max_tokens, self._limits.threads)
                    if text is not None
                    else None,
                    function=function,
                )
            return self._open[key]

    def embedding_width(self, name: str) -> int:
        """Numbers in one vector of a model."""
        return self.encoder(name).width

    def embed(self, name: str, texts: object) -> tuple[HostArray, InferStatistics]:
        """Vectors of distinct texts without nulls: ``(n,)`` -> ``(n, width)`` float32."""
        return self.encoder(name).embed(as_text_column(texts, "text"))

    def infer(
        self, name: str, inputs: Mapping[str, HostArray], offsets: HostArray
    ) -> tuple[HostArray, InferStatistics]:
        """See :meth:`Encoder.infer`; inputs are checked first.

        Raises
        ------
        InputError
            An input is missing, or has the wrong length, type, width or row numbers.
        """
        encoder = self.encoder(name)
        reads = next(a.reads for a in ARCHITECTURES if a.name == encoder.version.architecture)
        offsets = np.asarray(offsets)
        _check_offsets(offsets)
        if "position_ids" not in inputs:
            _check_lengths(encoder, offsets)
        inputs = {key: np.asarray(values) for key, values in inputs.items()}
        _check_rows(inputs, "token_ids" if reads == "tokens" else "rows", int(offsets[-1]))
        _check_row_numbers(encoder, inputs)
        return encoder.infer(_converted(encoder, inputs), offsets)

    def explain(self, name: str, statistics: object = None, *, stored: bool = False) -> str:
        """Text of a model's logical and physical plan.

        Parameters
        ----------
        name
            A model.
        statistics
            An :class:`InferStatistics`, to show the physical plan with what was measured.
        stored
            Show the logical plan as it is stored, before the rules, too.
        """
        encoder = self.encoder(name)
        prepared = encoder.prepared(pooled=True)
        profile = statistics.profile if isinstance(statistics, InferStatistics) else None
        parts = []
        if stored:
            parts += [
                f"logical plan of {encoder.version.label}, as stored",
                explain_logical(encoder.pooled_plan),
                "",
            ]
        parts += [
            f"logical plan of {encoder.version.label}, after the rules "
            + ", ".join(rule.__name__ for rule in encoder.rules),
            explain_logical(optimize(encoder.pooled_plan, encoder.rules)),
            "",
            f"physical plan of {encoder.version.label} on {self._backend.name}",
            explain_physical(prepared, profile),
        ]
        if isinstance(statistics, InferStatistics):
            parts += ["", _summary(statistics)]
        return "\n".join(parts)


def _summary(s: InferStatistics) -> str:
    return (
        f"{s.distinct_texts:,} distinct texts, {s.tokens:,} tokens, {s.padded_tokens} padded, "
        f"{s.batches} batches of at most {s.token_budget:,} tokens on {s.threads} threads; "
        f"{s.seconds:.3f} s ({s.tokenize_seconds:.3f} s tokenising); "
        f"{s.tokens_per_second:,.0f} tokens/s; "
        f"{s.resident_nbytes + s.projected_nbytes:,} bytes projected at most"
    )


def _check_offsets(offsets: HostArray) -> None:
    if (
        offsets.ndim != 1
        or offsets.dtype.kind not in "iu"
        or not len(offsets)
        or offsets[0] != 0
        or np.any(np.diff(offsets) < 0)
    ):
        raise InputError(
            f"infer: offsets are {offsets!r:.80}; expected integers that start at 0 and do not "
            "fall, one more than there are sequences"
        )


def _check_lengths(encoder: Encoder, offsets: HostArray) -> None:
    """Check that an encoder with positions has one for every place in the longest sequence."""
    version = encoder.version
    architecture = next(a for a in ARCHITECTURES if a.name == version.architecture)
    most, longest = architecture.positions(version.config), int(np.diff(offsets).max(initial=0))
    if most is not None and longest > most:
        raise InputError(
            f"infer: the longest sequence has {longest} rows, model {version.label} has positions "
            f"for at most {most}; cut the sequences, or give position_ids"
        )


def _check_rows(inputs: Mapping[str, HostArray], needed: str, rows: int) -> None:
    known = {"token_ids", "type_ids", "position_ids"} if needed == "token_ids" else {"rows"}
    if needed not in inputs or not set(inputs) <= known:
        raise InputError(
            f"infer: found inputs {sorted(inputs)}; this model needs {needed!r} and takes "
            f"{sorted(known)}"
        )
    for name, values in inputs.items():
        if values.ndim == 0 or len(values) != rows:
            raise InputError(
                f"infer: {name} has shape {values.shape}, the offsets end at {rows}; "
                "they must agree in rows"
            )


def _check_row_numbers(encoder: Encoder, inputs: Mapping[str, HostArray]) -> None:
    for node in walk(encoder.hidden_plan):
        if not isinstance(node, Gather) or not isinstance(node.rows, Input):
            continue
        name, extent = node.rows.tensor.name, node.table.schema.shape[0]
        values = inputs.get(name)
        if values is None or not values.size:
            continue
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= int(extent):
            raise InputError(
                f"infer: {name} must be integers from 0 to {int(extent) - 1}; found "
                f"{values.dtype} from {values.min()} to {values.max()}"
            )


def _converted(encoder: Encoder, inputs: Mapping[str, HostArray]) -> dict[str, HostArray]:
    """Inputs in the dtype and width that the plan declares."""
    declared = {n.tensor.name: n.tensor for n in walk(encoder.hidden_plan) if isinstance(n, Input)}
    converted = {}
    for name, values in inputs.items():
        schema = declared[name]
        if values.shape[1:] != schema.shape[1:]:
            raise InputError(
                f"infer: {name} has shape {values.shape}; the model takes {schema.shape}"
            )
        converted[name] = np.ascontiguousarray(values, schema.dtype)
    return converted
