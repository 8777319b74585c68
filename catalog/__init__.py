"""What the database holds: models, versions, tensors, blocks, pages and user tables, in SQLite.

One module per family of records, each with plain functions that take the :class:`Catalog` first.
"""

from __future__ import annotations

if __name__ != "gpudb.catalog":
    raise ImportError(f"this folder is imported as gpudb.catalog, not as {__name__}")

from gpudb.catalog.catalog import Catalog
from gpudb.catalog.listing import LISTINGS, listing
from gpudb.catalog.records import (
    Location,
    NamedTensor,
    PageRecord,
    Partition,
    StoredHead,
    StoredTensor,
    TablePart,
    UserTable,
    Version,
)

__all__ = [
    "LISTINGS",
    "Catalog",
    "Location",
    "NamedTensor",
    "PageRecord",
    "Partition",
    "StoredHead",
    "StoredTensor",
    "TablePart",
    "UserTable",
    "Version",
    "listing",
]
