"""The SQL door: DuckDB's dialect, with models in it."""

from __future__ import annotations

from gpudb.sql.engine import SqlEngine
from gpudb.sql.plan import SqlPlan, SqlResult, SqlStatistics

__all__ = ["SqlEngine", "SqlPlan", "SqlResult", "SqlStatistics"]
