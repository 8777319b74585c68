"""The front door: opens a database and wires everything together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from gpudb.answering import Answering
from gpudb.backend import fallback, open_backend
from gpudb.catalog.models import version as find_version
from gpudb.catalog.tensors import drop_tensor
from gpudb.closing import Closing
from gpudb.errors import CatalogError, InputError
from gpudb.models.library import ModelLibrary
from gpudb.models.limits import batch_limits
from gpudb.models.statistics import InferStatistics
from gpudb.predict import Prediction, Setting, find_gpu
from gpudb.relation import StoredTensors, TensorEngine, TensorRelation
from gpudb.report import RENDERERS
from gpudb.result import Result
from gpudb.settings import Settings, precision_named
from gpudb.sql import SqlEngine
from gpudb.sql.history import FILE as HISTORY
from gpudb.sql.history import History
from gpudb.store import TensorStore
from gpudb.tables import UserTables
from gpudb.types import HostArray

if TYPE_CHECKING:
    from gpudb.models.importer import ImportReport


class Database(Answering, Closing):
    """A database folder on a device. Open one with :func:`gpudb.connect`."""

    def __init__(
        self,
        folder: Path | None,
        *,
        device: str,
        memory_limit: int | None,
        threads: int,
        token_budget: int,
        verify: bool,
        history: bool = True,
        precision: str = "float32",
    ) -> None:
        exact = precision if precision == "tf32" else "float32"
        self.backend = open_backend(device, memory_limit, exact)
        self.memory_limit = memory_limit or self.backend.memory_nbytes()
        self.threads = threads
        self._store = TensorStore(folder, verify=verify)
        try:
            limits = batch_limits(self.backend.name, threads, token_budget, self.memory_limit)
            notes = tuple(filter(None, [fallback(device, self.backend)]))
            device = self.backend.name
            self._library = ModelLibrary(
                self._store,
                lambda precision: open_backend(device, memory_limit, precision),
                limits,
                notes,
                Settings(precision=precision),
            )
            self._tables = UserTables(self._store)
            self._engine = TensorEngine(self._store, self.backend, self.memory_limit)
            self._tensors = StoredTensors(self._store, self._engine)
            self.history = History(self._store.folder / HISTORY if history else None)
            self._sql = SqlEngine(
                self._library,
                self._tables,
                threads=threads,
                memory_limit=memory_limit,
                history=self.history,
                tensors=self._tensors,
                change_setting=lambda name, value: self.set(**{name: value}),
            )
        except BaseException:
            self._store.close()
            raise

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._store.folder

    @property
    def settings(self) -> Settings:
        """How plans run; change them with :meth:`set`."""
        return self._library.settings

    def set(self, **changes: Any) -> None:
        """Change how plans run from now on, e.g. ``db.set(execution="relational")``.

        Parameters
        ----------
        **changes
            Fields of :class:`~gpudb.settings.Settings`.

        Raises
        ------
        InputError
            There is no such setting, or it cannot have that value.
        """
        self._library.settings = self.settings.changed(**changes)
        self._engine.execution = self.settings.execution

    # Models

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
        """Import a model folder (Hugging Face, sentence-transformers) as a new version of ``name``.

        Parameters
        ----------
        folder
            Has ``config.json``, weights in a format of ``docs/formats.md`` and a tokenizer.
        name
            What SQL calls the model: ``embed('name', text)``.
        block
            Rows and columns of the blocks that matrices are cut into; None for row panels.
        allow_nonfinite
            Import weights that hold NaN or infinity, which are an error otherwise.
        dtype
            What matrices are stored as: ``"float32"``, ``"float16"``, ``"bfloat16"`` or ``"int8"``
            (a scale for each row); None for what they come in. See ``docs/embedding.md``.
        tower
            Which encoder of a CLIP checkpoint, ``"text"`` or ``"image"``: each is a model of its
            own. None for checkpoints that have one.

        Raises
        ------
        InputError
            An argument cannot be one; or the checkpoint has two towers, and none is named.
        CheckpointError, UnsupportedError
            The folder cannot be imported; nothing has changed.
        """
        return self._library.import_model(
            folder, name, block=block, allow_nonfinite=allow_nonfinite, dtype=dtype, tower=tower
        )

    def models(self) -> list[str]:
        """Names of all models."""
        return self._library.names()

    def drop_model(self, name: str) -> None:
        """Forget a model, or one version of it (``"name@2"``); vacuum frees its pages."""
        self._library.drop(name)

    def infer(
        self, model: str, inputs: Mapping[str, Any] | Any, offsets: Any = None
    ) -> tuple[HostArray, InferStatistics]:
        """The encoder's raw output: one row per token (or input row).

        Parameters
        ----------
        model
            Name of a model.
        inputs
            ``token_ids`` (and perhaps ``type_ids``, ``position_ids``), each ``(t,)`` integers; or
            ``rows`` ``(t, width)``, for an encoder that reads rows of numbers. Or a LIST column,
            one list per sequence: of token ids, or of rows. From cuDF, it is brought to the host,
            where batches are checked and packed.
        offsets
            ``(s + 1,)`` integers: sequence i has the rows ``offsets[i]:offsets[i + 1]``; None for a
            LIST column.
        """
        return self._library.infer(model, inputs, offsets)

    def explain(
        self,
        what: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        analyze: bool = False,
        relational: bool = False,
        stored: bool = False,
        format: str = "text",
    ) -> str:
        """How a statement or a model runs.

        Parameters
        ----------
        what
            A SQL statement, or the name of a model.
        params
            Of the statement, as for :meth:`sql`.
        analyze
            Run the statement, and add what each operator took.
        relational
            Show the models' plans as joins and aggregates over blocks, and nothing else.
        stored
            Of a model: add the plan as it was imported, before any rule.
        format
            ``"text"``, ``"json"`` or ``"html"``; see ``docs/explain.md``. DuckDB has more, for
            statements without a model.
        """
        if not what.split()[1:]:
            if analyze:
                raise InputError(f"analyze runs a statement; {what!r} is the name of a model")
            return self._library.explained(what.strip(), relational, stored, format)
        options = [
            *(["ANALYZE"] if analyze else []),
            *(["RELATIONAL"] if relational else []),
            f"FORMAT {_format(format)}",
        ]
        return self.sql(f"EXPLAIN ({', '.join(options)}) {what}", params).plan_text

    def predict(
        self,
        model: str,
        lengths: Sequence[int],
        *,
        gpu: str = "a100-80gb",
        precision: str = "float16",
        graph: bool = True,
    ) -> Prediction:
        """How fast a model should be on a GPU, from shapes and the data sheet; nothing is run.

        Parameters
        ----------
        model
            Name of a model.
        lengths
            Tokens of each text of one batch.
        gpu
            A name in :data:`gpudb.predict.GPUS`.
        precision
            Of products: ``"float32"``, ``"tf32"``, ``"float16"`` or ``"bfloat16"``.
        graph
            Whether all launches are one CUDA graph.
        """
        setting = Setting(find_gpu(gpu), precision_named(precision), graph)
        return self._library.predict(model, lengths, setting)

    # Tables

    def create_table(self, name: str, data: object, *, replace: bool = False) -> None:
        """Store a table: Arrow, pandas, polars, cuDF, or the path of a Parquet file."""
        self._tables.create(name, data, replace=replace)

    def link_table(self, name: str, paths: str | PathLike[str] | Sequence[str]) -> None:
        """Record a table that is scanned in Parquet files where they lie."""
        listed = [paths] if isinstance(paths, str | PathLike) else paths
        self._tables.link(name, listed)

    def tables(self) -> list[str]:
        """Names of all tables."""
        return self._tables.names()

    def drop_table(self, name: str) -> None:
        """Forget a table and remove its files."""
        self._tables.drop(name)

    # SQL

    def sql(self, text: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> Result:
        """Run SQL, in DuckDB's dialect with ``embed(model, text)`` and ``cosine(a, b)``.

        Parameters
        ----------
        text
            One or more statements; the result is that of the last.
        params
            For ``?`` a sequence, for ``$name`` a mapping.
        """
        outcome = self._sql.run(text, params)
        return Result(outcome.table, outcome.stats, outcome.tell)

    # Tensors

    def create_tensor(
        self,
        name: str,
        values: Any,
        *,
        block: tuple[int, ...] | None = None,
        sparse: bool = False,
        keys: Sequence[str] | None = None,
    ) -> TensorRelation:
        """Store an array, the result of an expression, or Parquet files, as blocks.

        Parameters
        ----------
        name
            Its name.
        values
            An array of at least one axis, of NumPy or on a GPU (``__cuda_array_interface__``);
            float64, float32, float16, int64, int32 or int8. Or a tensor expression of this
            database, which is computed first. Or the path, or paths, of Parquet files that
            ``parquet()`` of a tensor wrote; on a GPU, cuDF reads them.
        block
            Extent of a block along each axis; None for row panels, and for expressions and files
            the blocks they come in.
        sparse
            Leave out blocks of zeros: what is missing counts as zero.
        keys
            What SQL calls the key columns, one name per axis; None for i0, i1, ….
        """
        self._tensors.store(name, values, block=block, sparse=sparse, keys=keys)
        return self.tensor(name)

    def tensor(self, name: str, model: str | None = None) -> TensorRelation:
        """A stored tensor, of its own or of a model, as an expression to compute with."""
        return self._tensors.relation(name, model)

    def tensors(self) -> list[str]:
        """Names of all tensors that belong to no model."""
        return self._tensors.own_names()

    def drop_tensor(self, name: str) -> None:
        """Forget a tensor; vacuum frees its pages."""
        drop_tensor(self._store.catalog, name)

    # The whole

    def describe(self, name: str) -> Result:
        """What a table (columns), a model (tensors) or a tensor (schema) consists of."""
        if name.lower() in (table.lower() for table in self.tables()):
            schema = self._tables.schema(name)
            columns = {"column": schema.names, "type": [str(f.type) for f in schema]}
            return Result(pa.table(columns))
        if name in self.tensors():
            query = "SELECT * FROM gpudb.tensors WHERE name = ? AND model IS NULL"
            return self.sql(query, [name])
        if name.partition("@")[0] in self.models():
            version = find_version(self._store.catalog, name)
            return self.sql(
                "SELECT name, shape, block, dtype, elements, bytes, blocks, error "
                "FROM gpudb.tensors "
                "WHERE model = ? AND version = ?",
                [version.model, version.number],
            )
        raise CatalogError(
            f"no table, model or tensor {name!r}; tables: {', '.join(self.tables()) or 'none'}; "
            f"models: {', '.join(self.models()) or 'none'}; "
            f"tensors: {', '.join(self.tensors()) or 'none'}"
        )

    def vacuum(self) -> int:
        """Remove pages that nothing uses any more; bytes freed."""
        return self._store.vacuum()

    def verify(self) -> int:
        """Compare every page with its hash; how many there are.

        Raises
        ------
        StorageError
            A page is missing or damaged.
        """
        return self._store.verify()

    def close(self) -> None:
        """Close it; a ``":memory:"`` database is gone."""
        self._engine.close()
        self._sql.close()
        self._store.close()

    def __repr__(self) -> str:
        return f"<gpudb.Database {self.folder} on {self.backend.name}>"


def _format(name: str) -> str:
    """A format's name, as it stands in SQL."""
    if not name.isidentifier():
        raise InputError(f"format is {name!r}; expected one of {', '.join(RENDERERS)}")
    return name
