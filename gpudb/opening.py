"""``connect()``: what the caller says and what the environment says, made into a database."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from gpudb.config import Config, available_threads, parse_nbytes
from gpudb.database import Database
from gpudb.errors import InputError


def connect(
    path: str | PathLike[str] = ":memory:",
    *,
    device: str | None = None,
    memory_limit: int | str | None = None,
    threads: int | None = None,
    history: bool | None = None,
    precision: str = "float32",
) -> Database:
    """Open a database, or make a new one.

    Parameters
    ----------
    path
        The database's folder; ``":memory:"`` keeps it in a temporary folder until it is closed.
    device
        ``"auto"`` (the default: the GPU where one answers, else the CPU, with code compiled for it
        where numba is installed), ``"cuda"``, ``"jit"``, ``"numpy"`` or ``"null"``; None reads
        ``GPUDB_DEVICE``.
    memory_limit
        Most bytes a model run may hold, as a number or as text such as ``"4GB"``; also DuckDB's
        limit. None: what the device has.
    threads
        Worker threads; None reads ``GPUDB_THREADS``, else one per processor.
    history
        Record statements, for ``gpudb.queries``; None reads ``GPUDB_HISTORY``, else yes.
    precision
        What models compute in: ``"float32"``; on a GPU also ``"tf32"`` (operands of products are
        rounded to 11 bits), ``"float16"`` and ``"bfloat16"`` (products are added up in float32);
        compiled for the CPU, ``"bfloat16"`` and ``"int8"`` where the processor has them.
        Tensor expressions keep float32, or take tf32.

    Raises
    ------
    StorageError, CatalogError
        The folder is not a database, or cannot be used.
    DeviceError
        The device is not there.
    InputError
        An argument has the wrong type or value.

    Examples
    --------
    >>> import gpudb
    >>> with gpudb.connect() as db:
    ...     db.sql("SELECT 6 * 7 AS answer").fetchall()
    [(42,)]
    """
    config = Config.from_environment()
    if not isinstance(path, str | PathLike):
        raise InputError(f"path is a {type(path).__name__}; expected a folder, or ':memory:'")
    count = config.threads if threads is None else threads
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise InputError(f"threads is {count!r}; expected a whole number, 0 for one per processor")
    return Database(
        None if str(path) == ":memory:" else Path(path),
        device=config.device if device is None else device,
        memory_limit=None if memory_limit is None else parse_nbytes(memory_limit),
        threads=count or available_threads(),
        token_budget=config.token_budget,
        verify=config.verify_pages,
        history=config.history if history is None else bool(history),
        precision=precision,
    )
