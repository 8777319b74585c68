"""What a process loads before it answers: not what only imports of models need."""

from __future__ import annotations

from tests import children

CONNECT = """
import sys
import gpudb
with gpudb.connect(device="numpy") as db:
    db.sql("SELECT 1").fetchall()
print(*sorted(sys.modules))
"""


def test_readers_of_weights_are_loaded_by_imports_alone() -> None:
    loaded = set(children.run(CONNECT).split())
    assert {"gpudb.database", "gpudb.models.library", "gpudb.models.encoder"} <= loaded
    readers = {"gpudb.models.importer", "gpudb.models.checkpoint", "gpudb.models.formats.opening"}
    assert not loaded & (readers | {"numba", "llvmlite"})
