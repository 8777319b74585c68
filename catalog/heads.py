"""Heads of model versions: logical plans beside that of the encoder."""

from __future__ import annotations

import json

from gpudb.catalog.catalog import Catalog
from gpudb.catalog.records import StoredHead


def add_head(catalog: Catalog, version: int, head: StoredHead) -> None:
    """Record a head of the version with that id."""
    catalog.run(
        "INSERT INTO head (version, kind, plan, labels, function) VALUES (?, ?, ?, ?, ?)",
        (
            version,
            head.kind,
            head.plan,
            json.dumps(list(head.labels)),
            json.dumps(dict(head.function)),
        ),
    )


def heads(catalog: Catalog, version: int) -> dict[str, StoredHead]:
    """The heads of the version with that id, by kind."""
    rows = catalog.rows(
        "SELECT kind, plan, labels, function FROM head WHERE version = ? ORDER BY kind", (version,)
    )
    return {
        kind: StoredHead(kind, plan, tuple(json.loads(labels)), json.loads(function))
        for kind, plan, labels, function in rows
    }
