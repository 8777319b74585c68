"""The models of a database: import them, open them, run them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gpudb.backend import Backend
from gpudb.catalog import StoredTensor, Version
from gpudb.catalog import models as catalog_models
from gpudb.catalog.heads import heads
from gpudb.catalog.tensors import tensor
from gpudb.distinct import by_row, distinct_rows, rows_in_errors
from gpudb.errors import GpudbError, InputError, UnsupportedError
from gpudb.functions import NO_OPTIONS, Options
from gpudb.models.architectures import architecture_named
from gpudb.models.batches import sizes_of_lengths
from gpudb.models.bytes_column import as_bytes_column
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.encoder import POOLED, Encoder
from gpudb.models.functions import ANSWERING
from gpudb.models.inputs import check_offsets, check_rows
from gpudb.models.limits import Limits
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

if TYPE_CHECKING:
    from gpudb.models.importer import ImportReport


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
        self._versions: dict[str, tuple[tuple[int, int], Version]] = {}
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
        tower: str | None = None,
    ) -> ImportReport:
        """See :func:`gpudb.models.importer.import_model`."""
        # Not at the top: with all that reads files of weights, an eighth of what a start takes.
        from gpudb.models.importer import import_model

        return import_model(
            self._store,
            folder,
            name,
            limits=self._limits,
            block=block,
            allow_nonfinite=allow_nonfinite,
            dtype=dtype,
            tower=tower,
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
        catalog, version = self._store.catalog, self._version(name)
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
                    heads=heads(catalog, version.id),
                )
            return self._open[key]

    def _version(self, name: str) -> Version:
        """What the catalog says of a model; read again once anything there has changed."""
        counter = self._store.catalog.change_counter()
        known = self._versions.get(name)
        if known is None or known[0] != counter:
            known = counter, catalog_models.version(self._store.catalog, name)
            self._versions[name] = known
        return known[1]

    @contextmanager
    def profiling(self) -> Iterator[None]:
        """While it is entered, operators are timed one by one."""
        before = self.settings
        self.settings = before.changed(profile=True)
        try:
            yield
        finally:
            self.settings = before

    def returns(self, function: str, name: str, options: Options) -> pa.DataType:
        """Type of a function's answers; what the model cannot answer is refused.

        Raises
        ------
        UnsupportedError
            The model has no head for it.
        """
        return ANSWERING[function].kind(self.encoder(name), options)

    def ask(
        self, function: str, name: str, texts: Sequence[pa.Array], options: Options
    ) -> tuple[pa.Array, InferStatistics]:
        """Run what a function runs, over distinct rows without nulls of what the model reads."""
        columns = [pa.chunked_array([column]) for column in texts]
        return ANSWERING[function].run(self.encoder(name), columns, options, self.settings)

    def reads(self, name: str) -> pa.DataType:
        """Type of the columns that a model reads: texts, or the bytes of image files.

        Raises
        ------
        UnsupportedError
            The model reads images, and nothing says how they become numbers.
        """
        encoder = self.encoder(name)
        if architecture_named(encoder.version.architecture).reads != "images":
            return pa.large_string()
        if encoder.function.images is None:
            raise UnsupportedError(
                f"model {encoder.version.label} reads images, and its folder had no "
                "preprocessor_config.json, which says how they become numbers; add the file and "
                "import it again, or use infer() with rows of patches"
            )
        return pa.large_binary()

    def column(self, name: str, column: object, called: str) -> pa.ChunkedArray:
        """A column in the type that the model reads; ``called`` so in errors."""
        is_text = pa.types.is_large_string(self.reads(name))
        return (as_text_column if is_text else as_bytes_column)(column, called)

    def formed(self, function: str, name: str, rows: pa.Array, options: Options) -> pa.Array:
        """A function's answers, of what :meth:`ask` returned."""
        return ANSWERING[function].form(self.encoder(name), rows, options)

    def answers(
        self,
        functions: Sequence[str],
        name: str,
        texts: Sequence[pa.ChunkedArray],
        options: Options = NO_OPTIONS,
    ) -> tuple[list[pa.Array], InferStatistics]:
        """Answers for each row of columns of text, null where one of them is.

        ``functions`` have the model compute the same; a column is returned for each.
        """
        encoder, answers = self.encoder(name), [ANSWERING[function] for function in functions]
        for answer in answers:
            answer.kind(encoder, options)
        distinct, numbers = distinct_rows(texts)
        columns = [pa.chunked_array([column]) for column in distinct]
        with rows_in_errors(numbers):
            rows, statistics = answers[0].run(encoder, columns, options, self.settings)
        found = [by_row(answer.form(encoder, rows, options), numbers) for answer in answers]
        return found, statistics.over_rows(len(numbers))

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
        reads = architecture_named(encoder.version.architecture).reads
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
        longest = check_offsets(offsets)
        if "position_ids" not in inputs:
            _check_length(encoder, longest)
        inputs = {key: np.asarray(values) for key, values in inputs.items()}
        check_rows(inputs, encoder.inputs.by_row, needed, int(offsets[-1]))
        return encoder.infer(encoder.inputs.converted(inputs), offsets, self.settings)

    def report(self, name: str, statistics: object = None) -> PlanReport:
        """A model's logical and physical plan, from texts to vectors; what was measured, too."""
        return self.reporter("embed", name)(statistics, "")

    def reporter(self, function: str, name: str) -> Callable[[object, str], PlanReport]:
        """What reports on a function of a model as it is now, even after it is dropped.

        It takes an :class:`InferStatistics`, to add what was measured, or None; and what the
        answers are called in a statement.
        """
        encoder, plans = self.encoder(name), ANSWERING[function].plans
        block, precision = self.settings.block_size, self.settings.precision
        computed = f"products in {precision}"
        notes = self._notes if precision == "float32" else (*self._notes, computed)

        def report(statistics: object, into: str) -> PlanReport:
            known = statistics if isinstance(statistics, InferStatistics) else None
            relational = known is not None and known.execution == "relational"
            texts = tuple(
                relational_text(encoder, plan, block)
                if relational
                else self._optimized(encoder, plan)
                for plan in plans
            )
            return report_encoder(encoder, plans[0], known, into=into, notes=notes, texts=texts)

        return report

    def report_relational(self, function: str, name: str, into: str = "") -> PlanReport:
        """A model's plans as joins, aggregates and maps over blocks of ``block_size``."""
        encoder, block = self.encoder(name), self.settings.block_size
        texts = tuple(relational_text(encoder, p, block) for p in ANSWERING[function].plans)
        return PlanReport(encoder.version.label, into, self._backend().name, (), texts)

    def predict(self, name: str, lengths: Sequence[int], setting: Setting) -> Prediction:
        """See :meth:`gpudb.Database.predict`."""
        numbers = np.asarray(lengths)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not (numbers > 0).all():
            raise InputError(
                f"predict: lengths are {lengths!r:.80}; expected tokens of each text, at least 1"
            )
        steps = self.encoder(name).joined(POOLED).steps
        return predict(steps, sizes_of_lengths(numbers), setting)

    def explained(self, name: str, relational: bool, stored: bool, format: str) -> str:
        """The plans of a model, rendered: see :meth:`gpudb.Database.explain`."""
        if format not in RENDERERS:
            raise InputError(f"format is {format!r}; expected one of {', '.join(RENDERERS)}")
        plan = self.report_relational("embed", name) if relational else self.report(name)
        if stored:
            plan = replace(plan, texts=(stored_text(self.encoder(name), POOLED), *plan.texts))
        return RENDERERS[format](Report(plan.name, plans=(plan,)))

    def _optimized(self, encoder: Encoder, plan: str) -> PlanText:
        """The logical plan after the rules; made once, for every statement is reported on."""
        key = encoder.version.id, encoder.version.created, plan
        if key not in self._texts:
            self._texts[key] = optimized_text(encoder, plan)
        return self._texts[key]


def _check_length(encoder: Encoder, longest: int) -> None:
    """Check that an encoder with positions has one for every place in the longest sequence."""
    version = encoder.version
    most = architecture_named(version.architecture).positions(version.config)
    if most is not None and longest > most:
        raise InputError(
            f"infer: the longest sequence has {longest} rows, model {version.label} has positions "
            f"for at most {most}; cut the sequences, or give position_ids"
        )
