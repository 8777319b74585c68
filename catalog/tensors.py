"""Tensors: their schemas, and the blocks and partitions they are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from gpudb.catalog.catalog import Catalog
from gpudb.catalog.records import Location, Partition, StoredTensor
from gpudb.errors import CatalogError
from gpudb.types import TensorSchema

_SELECT = "SELECT id, version, name, shape, block, dtype, keys FROM tensor"


_NUMBERED = re.compile(r"i\d+")


def add_tensor(catalog: Catalog, schema: TensorSchema, version: int | None) -> StoredTensor:
    """Record a tensor of the version with that id, or one of its own for None.

    Raises
    ------
    CatalogError
        If the version, or the database for None, has a tensor of that name already.
    """
    with catalog.transaction():
        if catalog.rows(f"{_SELECT} WHERE name = ? AND version IS ?", (schema.name, version)):
            where = "" if version is None else f" in {_label(catalog, version)}"
            raise CatalogError(
                f"tensor {schema.name!r} is there already{where}; drop it first, or choose "
                "another name"
            )
        tensor_id = catalog.insert(
            "INSERT INTO tensor (version, name, shape, block, dtype) VALUES (?, ?, ?, ?, ?)",
            (
                version,
                schema.name,
                json.dumps(schema.numbers),
                json.dumps(schema.block_numbers),
                schema.dtype,
            ),
        )
    return StoredTensor(tensor_id, schema, version)


def tensor(catalog: Catalog, name: str, version: int | None = None) -> StoredTensor:
    """The tensor of that name in the version with that id, or of its own for None.

    Raises
    ------
    CatalogError
        If there is none; the message lists those there are.
    """
    found = catalog.rows(f"{_SELECT} WHERE name = ? AND version IS ?", (name, version))
    if not found:
        raise CatalogError(_no_tensor(catalog, name, version))
    return _record(found[0])


def tensors(catalog: Catalog, version: int | None = None) -> list[StoredTensor]:
    """The tensors of a version, or those of their own for None, in the order they were added."""
    rows = catalog.rows(f"{_SELECT} WHERE version IS ? ORDER BY id", (version,))
    return [_record(row) for row in rows]


def rename_tensor(catalog: Catalog, tensor_id: int, name: str) -> None:
    """Give the tensor with that id another name, which no other tensor of its own has."""
    catalog.run("UPDATE tensor SET name = ? WHERE id = ?", (name, tensor_id))


def drop_tensor(catalog: Catalog, name: str) -> None:
    """Forget a tensor of its own; one of a model goes with its version."""
    if not catalog.run("DELETE FROM tensor WHERE name = ? AND version IS NULL", (name,)):
        raise CatalogError(_no_tensor(catalog, name, None))


def check_keys(schema: TensorSchema, keys: Sequence[str]) -> None:
    """Raise unless these can be the names of a tensor's key columns.

    Raises
    ------
    CatalogError
        There is not one for each axis, two are alike, or one means something else.
    """
    several = not isinstance(keys, str) and all(isinstance(key, str) for key in keys)
    distinct = several and len({key.lower() for key in keys}) == len(keys) == schema.ndim
    if not distinct or any(
        not key
        or key.lower() == "block"
        or (_NUMBERED.fullmatch(key.lower()) and key != f"i{axis}")
        for axis, key in enumerate(keys)
    ):
        raise CatalogError(
            f"tensor {schema.name!r}: the keys are {keys!r}; expected {schema.ndim} different "
            "names, none of them block, or i and the number of another axis"
        )


def name_keys(catalog: Catalog, tensor_id: int, keys: Sequence[str]) -> None:
    """Give the key columns of a tensor other names than i0, i1, …."""
    catalog.run("UPDATE tensor SET keys = ? WHERE id = ?", (json.dumps(list(keys)), tensor_id))


def record_error(catalog: Catalog, tensor_id: int, error: float) -> None:
    """Record the relative Frobenius error of a tensor that was rounded at import."""
    catalog.run("UPDATE tensor SET error = ? WHERE id = ?", (error, tensor_id))


def use_blocks(catalog: Catalog, tensor_id: int, blocks: Iterable[tuple[int, bytes]]) -> None:
    """Record blocks of a tensor: (row-major position in its grid, hash of a stored block)."""
    catalog.run_many(
        "INSERT INTO block (tensor, number, stored_block) "
        "VALUES (?, ?, (SELECT id FROM stored_block WHERE hash = ?))",
        ((tensor_id, number, digest) for number, digest in blocks),
    )


def add_partitions(catalog: Catalog, tensor_id: int, partitions: Iterable[Partition]) -> None:
    """Record how the blocks of a tensor are cut into partitions."""
    catalog.run_many(
        "INSERT INTO partition VALUES (?, ?, ?, ?)",
        ((tensor_id, n, p.first_block, p.blocks) for n, p in enumerate(partitions)),
    )


def locations(catalog: Catalog, tensor_id: int) -> list[Location]:
    """Where the blocks of a tensor lie, in row-major order of its grid."""
    rows = catalog.rows(
        "SELECT page.hash, stored_block.row FROM block "
        "JOIN stored_block ON stored_block.id = block.stored_block "
        "JOIN page ON page.id = stored_block.page "
        "WHERE block.tensor = ? ORDER BY block.number",
        (tensor_id,),
    )
    return [Location(page, row) for page, row in rows]


def block_numbers(catalog: Catalog, tensor_id: int) -> list[int]:
    """Row-major grid positions of the blocks a tensor has, rising; the others are zero."""
    rows = catalog.rows("SELECT number FROM block WHERE tensor = ? ORDER BY number", (tensor_id,))
    return [number for (number,) in rows]


def partitions(catalog: Catalog, tensor_id: int) -> list[Partition]:
    """The partitions of a tensor, in order."""
    rows = catalog.rows(
        "SELECT first_block, blocks FROM partition WHERE tensor = ? ORDER BY number", (tensor_id,)
    )
    return [Partition(first, blocks) for first, blocks in rows]


def _record(row: tuple[Any, ...]) -> StoredTensor:
    tensor_id, version, name, shape, block, dtype, keys = row
    schema = TensorSchema(name, tuple(json.loads(shape)), tuple(json.loads(block)), dtype)
    return StoredTensor(tensor_id, schema, version, tuple(json.loads(keys)) if keys else ())


def _no_tensor(catalog: Catalog, name: str, version: int | None) -> str:
    names = [t.schema.name for t in tensors(catalog, version)]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    exist = f"tensors are: {', '.join(names[:20])}{more}" if names else "there are none"
    where = "" if version is None else f" in {_label(catalog, version)}"
    return f"no tensor {name!r}{where}; {exist}"


def _label(catalog: Catalog, version: int) -> str:
    rows = catalog.rows(
        "SELECT model.name || '@' || number FROM version JOIN model ON model.id = version.model "
        "WHERE version.id = ?",
        (version,),
    )
    label: str = rows[0][0] if rows else f"the version with id {version}, which does not exist"
    return label
