"""SET of gpudb's own settings, beside DuckDB's."""

from __future__ import annotations

import pytest

import gpudb
from gpudb.errors import InputError, SqlError
from gpudb.sql.settings import read_setting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET execution = 'relational'", ("execution", "relational")),
        ("set session Execution to fused;", ("execution", "fused")),
        ("/* how */ SET block_size=16 -- wide", ("block_size", 16)),
        ("SET block_size = -1", ("block_size", -1)),
        ("SET execution = ''", ("execution", "")),
        ("SET threads = 2", None),
        ("SET executions = 2", None),
        ("SET VARIABLE execution = 2", None),
    ],
)
def test_our_settings_are_told_from_duckdbs(
    text: str, expected: tuple[str, str | int] | None
) -> None:
    assert read_setting(text) == expected


def test_set_changes_the_database() -> None:
    with gpudb.connect(history=False) as db:
        db.sql("SET precision = 'fp32'")
        assert db.settings.precision == "float32"
        db.sql("SET execution = 'relational'; SET block_size = 16; SET threads = 1")
        assert (db.settings.execution, db.settings.block_size) == ("relational", 16)
        with pytest.raises(InputError, match="expected one of auto, fused, relational"):
            db.sql("SET execution = 'quick'")
        with pytest.raises(InputError, match="block_size is 'big'"):
            db.sql("SET block_size = 'big'")
        with pytest.raises(SqlError, match="unrecognized configuration parameter"):
            db.sql("SET nope = 1")
        assert (db.settings.execution, db.settings.block_size) == ("relational", 16)
