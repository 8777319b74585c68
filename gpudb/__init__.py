"""A columnar tensor database: transformer encoders inside SQL.

The names below are loaded when they are first used, so that ``import gpudb`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gpudb.errors import GpudbError

if TYPE_CHECKING:
    from gpudb.database import Database
    from gpudb.opening import connect
    from gpudb.relation import TensorRelation
    from gpudb.relation.einsum import einsum
    from gpudb.result import Result
    from gpudb.types import TensorSchema

__version__ = "0.1.0"

__all__ = [
    "Database",
    "GpudbError",
    "Result",
    "TensorRelation",
    "TensorSchema",
    "__version__",
    "connect",
    "einsum",
]

_HOMES = {
    "Database": "gpudb.database",
    "Result": "gpudb.result",
    "TensorRelation": "gpudb.relation",
    "TensorSchema": "gpudb.types",
    "connect": "gpudb.opening",
    "einsum": "gpudb.relation.einsum",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'gpudb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
