"""Record what happens to a statement, whether it succeeds or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter

from gpudb.sql.connection import Parameters
from gpudb.sql.explain import as_written
from gpudb.sql.history import Entry, History
from gpudb.sql.plan import SqlResult
from gpudb.sql.tensors import ddl


@contextmanager
def recorded(
    history: History, statement: str, parameters: Parameters
) -> Iterator[Callable[[SqlResult], None]]:
    """Record one statement when the block ends: with the result it was given, or its error.

    Without either nothing is recorded. An interrupt counts as an error.
    """
    started, clock = datetime.now(UTC).replace(tzinfo=None), perf_counter()
    results: list[SqlResult] = []
    try:
        yield results.append
    except BaseException as error:
        text, message = _written(statement), _message(error, parameters)
        history.record(Entry(started, perf_counter() - clock, text, error=message))
        raise
    for result in results:
        history.record(_entry(started, perf_counter() - clock, _written(statement), result))


def _written(statement: str) -> str:
    """As the user wrote it."""
    return ddl.as_written(as_written(statement.strip().removesuffix(";")))


def _entry(started: datetime, seconds: float, statement: str, result: SqlResult) -> Entry:
    stats = result.stats
    return Entry(
        started=started,
        seconds=seconds,
        statement=statement,
        # CREATE TABLE … AS and INSERT return nothing; what they stored is the last step's result.
        rows=stats.steps[-1].rows if stats.steps else result.table.num_rows,
        device=", ".join(dict.fromkeys(counts.device for counts in stats.models)) or None,
        models=tuple(dict.fromkeys(counts.model for counts in stats.models)),
        texts=stats.texts,
        tokens=stats.tokens,
        flops=stats.flops,
        peak_bytes=stats.peak_nbytes,
    )


def _message(error: BaseException, parameters: Parameters) -> str:
    name = type(error).__name__
    if parameters:
        return f"{name} (the message is not kept: it may quote a parameter)"
    return f"{name}: {error}" if str(error) else name
