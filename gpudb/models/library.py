"""The models of a database: import them, open them, run them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from gpudb.backend import Backend
from gpudb.catalog import StoredTensor
from gpudb.catalog import models as catalog_models
from gpudb.catalog.tensors import tensor
from gpudb.distinct import distinct_texts, vectors_of_rows
from gpudb.embed_options import EmbedOptions
from gpudb.errors import GpudbError, InputError
from gpudb.models.architectures import ARCHITECTURES
from gpudb.models.batches import sizes_of_lengths
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.encoder import Encoder, Limits
from gpudb.models.importer import ImportReport, import_model
from gpudb.models.inputs import check_offsets, check_rows
from gpudb.models.report import optimized_text, relational_text, report_encoder, stored_text
from gpudb.models.sequence_column import as_sequences
from gpudb.models.statistics import InferStatistics
from gpudb.models.text_column import as_text_column
from gpudb.models.tokenizer import TextTokenizer
from gpudb.predict import Prediction, Setting, predict
from gpudb.report import RENDERERS, PlanReport, PlanText, Report
from gpudb.settings import Settings
from gpudb.store import StoredSource, TensorStore
from gpudb.types import HostArray


class ModelLibrary:
    """Models by name; what has been opened stays open.

    ``open_precision`` opens the device in a precision; ``notes`` are on the device, e.g. why it is
    not another, for every report.
    """

    def __init__(
        self,
        store: TensorStore,
        open_precision: Callable[[str], Backend],
        limits: Limits,
        notes: tuple[str, ...],
        settings: Settings,
    ) -> None:
        self._store = store
        self._open_precision = open_precision
        self._backends: dict[str, Backend] = {}
        self._limits = limits
        self._settings = settings
        self._backend()
        self._notes = notes
        self._texts: dict[tuple[object, ...], PlanText] = {}
        self._open: dict[tuple[object, ...], Encoder] = {}
        self._lock = Lock()

    @property
    def settings(self) -> Settings:
        """How models run; :meth:`Database.set` replaces them."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        """A precision that the device does not have is refused now, and nothing changes."""
        before, self._settings = self._settings, settings
        try:
            self._backend()
        except GpudbError:
            self._settings = before
            raise

    def _backend(self) -> Backend:
        """The device in the precision that is set."""
        precision = self._settings.precision
        if precision not in self._backends:
            self._backends[precision] = self._open_precision(precision)
        return self._backends[precision]

    def import_model(
        self,
        folder: str | PathLike[str],
        name: str,
        *,
        block: tuple[int, int] | None = None,
        allow_nonfinite: bool = False,
        dtype: str | None = None,
    ) -> ImportReport:
        """See :func:`gpudb.models.importer.import_model`."""
        return import_model(
            self._store,
            folder,
            name,
            limits=self._limits,
            block=block,
            allow_nonfinite=allow_nonfinite,
            dtype=dtype,
        )

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
            self._texts.clear()

    def encoder(self, name: str) -> Encoder:
        """The newest version of a model, or the one named ``"name@2"``, ready to run."""
        catalog = self._store.catalog
        version = catalog_models.version(catalog, name)
        # SQLite may give the id of a dropped version again.
        key = (version.id, version.created, self.settings.precision)
        with self._lock:
            if key not in self._open:
                function = EmbedFunction(**version.function)
                text = (
                    None
                    if version.tokenizer is None
                    else catalog_models.tokenizer(catalog, version.tokenizer)
                )

                def find(name: str) -> StoredTensor:
                    return tensor(catalog, name, version.id)

                self._open[key] = Encoder(
                    version=version,
                    backend=self._backend(),
                    limits=self._limits,
                    source=StoredSource(self._store, find),
                    tokenizer=TextTokenizer(text, function.max_tokens, self._limits.threads)
                    if text is not None
                    else None,
                    function=function,
                )
            return self._open[key]

    def embedding_width(self, name: str, options: EmbedOptions | None = None) -> int:
        """Elements of one vector of a model.

        Raises
        ------
        InputError
            The model has no such prompt, or not so many dimensions.
        """
        encoder, options = self.encoder(name), options or EmbedOptions()
        encoder.function.prompt_named(options.prompt, name)
        return options.width(name, encoder.vector_width)

    @contextmanager
    def profiling(self) -> Iterator[None]:
        """While it is entered, operators are timed one by one."""
        before = self.settings
        self.settings = before.changed(profile=True)
        try:
            yield
        finally:
            self.settings = before

    def embed(
        self, name: str, texts: object, prompt: str | None = None
    ) -> tuple[HostArray, InferStatistics]:
        """Vectors of distinct texts without nulls: ``(n,)`` -> ``(n, width)`` float32."""
        return self.encoder(name).embed(as_text_column(texts, "text"), self.settings, prompt)

    def embed_column(
        self, name: str, column: object, options: EmbedOptions
    ) -> tuple[pa.Array, InferStatistics]:
        """A vector for each row of a column of texts, each distinct text embedded once."""
        self.embedding_width(name, options)  # what it refuses is refused before anything runs
        texts = as_text_column(column, "column")
        distinct, numbers = distinct_texts(texts)
        vectors, statistics = self.embed(name, distinct, options.prompt)
        rows = vectors_of_rows(self.formed(name, vectors, options), numbers)
        return rows, statistics.over_rows(len(texts))

    def formed(self, name: str, vectors: HostArray, options: EmbedOptions) -> HostArray:
        """Vectors of a model, as :meth:`embed` returns them, in another form."""
        return options.applied(name, vectors, self.encoder(name).function.normalize)

    def infer(
        self, name: str, inputs: Mapping[str, Any] | Any, offsets: Any = None
    ) -> tuple[HostArray, InferStatistics]:
        """See :meth:`gpudb.Database.infer`; inputs are checked first.

        Raises
        ------
        InputError
            An input is missing, or has the wrong length, type, width or row numbers.
        """
        encoder = self.encoder(name)
        reads = next(a.reads for a in ARCHITECTURES if a.name == encoder.version.architecture)
        needed = "token_ids" if reads == "tokens" else "rows"
        if isinstance(inputs, Mapping) != (offsets is not None):
            raise InputError(
                "infer: found a mapping of inputs without offsets, or a column with them; a "
                "mapping needs offsets, a LIST column has its own"
            )
        if not isinstance(inputs, Mapping):
            values, offsets = as_sequences(inputs, encoder.inputs.width(needed))
            inputs = {needed: values}
        offsets = np.asarray(offsets)
        check_offsets(offsets)
        if "position_ids" not in inputs:
            _check_lengths(encoder, offsets)
        inputs = {key: np.asarray(values) for key, values in inputs.items()}
        check_rows(inputs, encoder.inputs.by_row, needed, int(offsets[-1]))
        return encoder.infer(encoder.inputs.converted(inputs), offsets, self.settings)

    def report(self, name: str, statistics: object = None, into: str = "") -> PlanReport:
        """A model's logical and physical plan.

        Parameters
        ----------
        name
            A model.
        statistics
            An :class:`InferStatistics`, to add what was measured.
        into
            What its vectors are called in a statement.
        """
        return self.reporter(name)(statistics, into)

    def reporter(self, name: str) -> Callable[[object, str], PlanReport]:
        """What reports on a model as it is now, even after it is dropped."""
        encoder = self.encoder(name)
        block, precision = self.settings.block_size, self.settings.precision
        computed = f"products in {precision}"
        notes = self._notes if precision == "float32" else (*self._notes, computed)

        def report(statistics: object, into: str) -> PlanReport:
            known = statistics if isinstance(statistics, InferStatistics) else None
            relational = known is not None and known.execution == "relational"
            text = relational_text(encoder, block) if relational else self._optimized(encoder)
            return report_encoder(encoder, known, into=into, notes=notes, texts=(text,))

        return report

    def report_relational(self, name: str, into: str = "") -> PlanReport:
        """A model's plan as joins, aggregates and maps over blocks of ``block_size``."""
        encoder = self.encoder(name)
        return PlanReport(
            encoder.version.label, into, self._backend().name, (), (self._relational(encoder),)
        )

    def stored(self, name: str) -> PlanText:
        """A model's plan as it was imported, before any rule."""
        return stored_text(self.encoder(name))

    def _relational(self, encoder: Encoder) -> PlanText:
        return relational_text(encoder, self.settings.block_size)

    def predict(self, name: str, lengths: Sequence[int], setting: Setting) -> Prediction:
        """See :meth:`gpudb.Database.predict`."""
        numbers = np.asarray(lengths)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not (numbers > 0).all():
            raise InputError(
                f"predict: lengths are {lengths!r:.80}; expected tokens of each text, at least 1"
            )
        steps = self.encoder(name).joined(True).steps
        return predict(steps, sizes_of_lengths(numbers), setting)

    def explained(self, name: str, relational: bool, stored: bool, format: str) -> str:
        """The plans of a model, rendered: see :meth:`gpudb.Database.explain`."""
        if format not in RENDERERS:
            raise InputError(f"format is {format!r}; expected one of {', '.join(RENDERERS)}")
        plan = self.report_relational(name) if relational else self.report(name)
        if stored:
            plan = replace(plan, texts=(self.stored(name), *plan.texts))
        return RENDERERS[format](Report(plan.name, plans=(plan,)))

    def _optimized(self, encoder: Encoder) -> PlanText:
        """The logical plan after the rules; made once, for every statement is reported on."""
        key = encoder.version.id, encoder.version.created
        if key not in self._texts:
            self._texts[key] = optimized_text(encoder)
        return self._texts[key]


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
