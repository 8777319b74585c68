"""The catalog as tables: what SQL sees as ``gpudb.models``, ``gpudb.tensors`` and so on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import prod
from typing import Any, TypeAlias

from gpudb.catalog.catalog import Catalog
from gpudb.errors import CatalogError
from gpudb.types import storage_dtype

Rows: TypeAlias = list[tuple[Any, ...]]


def listing(catalog: Catalog, what: str) -> tuple[tuple[str, ...], Rows]:
    """Column names and rows of one catalog table, a key of :data:`LISTINGS`.

    Times are UTC without a zone; keys and shapes are lists of integers; ``model`` and ``version``
    are None for tensors of their own.
    """
    try:
        columns, rows = LISTINGS[what]
    except KeyError:
        raise CatalogError(
            f"no catalog table {what!r}; catalog tables are: {', '.join(LISTINGS)}"
        ) from None
    return columns, rows(catalog)


_OWNER = (
    "LEFT JOIN version ON version.id = tensor.version LEFT JOIN model ON model.id = version.model"
)
_BY_TENSOR = "ORDER BY model.name NULLS FIRST, version.number, tensor.id"


def _models(catalog: Catalog) -> Rows:
    newest = {row[0]: row for row in _versions(catalog)}
    return list(newest.values())


def _versions(catalog: Catalog) -> Rows:
    rows = catalog.rows(
        "SELECT model.name, number, architecture, parameters, nbytes, dtype, config, created, "
        "source, (SELECT max(error) FROM tensor WHERE tensor.version = version.id), mean_cosine, "
        "least_cosine FROM version JOIN model ON model.id = version.model "
        "ORDER BY model.name, number"
    )
    return [
        (*front, *_sizes(config), _naive(created), source, error, mean_cosine, least_cosine)
        for *front, config, created, source, error, mean_cosine, least_cosine in rows
    ]


def _tensors(catalog: Catalog) -> Rows:
    rows = catalog.rows(
        "SELECT model.name, version.number, tensor.name, shape, block, tensor.dtype, keys, error, "
        "(SELECT count(*) FROM block WHERE block.tensor = tensor.id) "
        f"FROM tensor {_OWNER} {_BY_TENSOR}"
    )
    return [
        (
            model,
            version,
            name,
            json.loads(shape),
            json.loads(block),
            dtype,
            prod(json.loads(shape)),
            blocks * _block_nbytes(block, dtype),
            blocks,
            json.loads(keys) if keys else [f"i{axis}" for axis in range(len(json.loads(shape)))],
            error,
        )
        for model, version, name, shape, block, dtype, keys, error, blocks in rows
    ]


def _partitions(catalog: Catalog) -> Rows:
    rows = catalog.rows(
        "SELECT model.name, version.number, tensor.name, partition.number, first_block, blocks, "
        f"block, tensor.dtype FROM partition JOIN tensor ON tensor.id = partition.tensor {_OWNER} "
        f"{_BY_TENSOR}, partition.number"
    )
    return [
        (*front, blocks, blocks * _block_nbytes(block, dtype))
        for *front, blocks, block, dtype in rows
    ]


def _blocks(catalog: Catalog) -> Rows:
    rows = catalog.rows(
        "SELECT model.name, version.number, tensor.name, block.number, shape, tensor.block, "
        "lower(hex(stored_block.hash)), page.hash, row, stored_block.nbytes "
        "FROM block JOIN stored_block ON stored_block.id = block.stored_block "
        "JOIN page ON page.id = stored_block.page JOIN tensor ON tensor.id = block.tensor "
        f"{_OWNER} {_BY_TENSOR}, block.number"
    )
    return [
        (*row[:4], _key(row[3], json.loads(row[4]), json.loads(row[5])), *row[6:]) for row in rows
    ]


def _pages(catalog: Catalog) -> Rows:
    return catalog.rows("SELECT hash, dtype, blocks, nbytes FROM page ORDER BY id")


def _tables(catalog: Catalog) -> Rows:
    rows = catalog.rows(
        "SELECT name, user_table.rows, coalesce(sum(nbytes), 0), created FROM user_table "
        "LEFT JOIN user_table_part ON user_table_part.user_table = user_table.id "
        "GROUP BY user_table.id ORDER BY name"
    )
    return [(*front, _naive(created)) for *front, created in rows]


def _heads(catalog: Catalog) -> Rows:
    rows = catalog.rows(
        "SELECT model.name, number, kind, labels FROM head "
        "JOIN version ON version.id = head.version JOIN model ON model.id = version.model "
        "ORDER BY model.name, number, kind"
    )
    return [(*front, json.loads(labels)) for *front, labels in rows]


_VERSION_COLUMNS = (
    "model",
    "version",
    "architecture",
    "parameters",
    "bytes",
    "dtype",
    "width",
    "layers",
    "created",
    "source",
    "error",
    "mean_cosine",
    "least_cosine",
)

LISTINGS: Mapping[str, tuple[tuple[str, ...], Callable[[Catalog], Rows]]] = {
    "models": (_VERSION_COLUMNS, _models),
    "versions": (_VERSION_COLUMNS, _versions),
    "heads": (("model", "version", "kind", "labels"), _heads),
    "tensors": (
        (
            "model",
            "version",
            "name",
            "shape",
            "block",
            "dtype",
            "elements",
            "bytes",
            "blocks",
            "keys",
            "error",
        ),
        _tensors,
    ),
    "partitions": (
        ("model", "version", "tensor", "number", "first_block", "blocks", "bytes"),
        _partitions,
    ),
    "blocks": (
        ("model", "version", "tensor", "number", "key", "hash", "page", "row", "bytes"),
        _blocks,
    ),
    "pages": (("page", "dtype", "blocks", "bytes"), _pages),
    "tables": (("name", "rows", "bytes", "created"), _tables),
}
"""Catalog table -> its columns and where its rows come from. ``models`` has the newest versions."""


def _sizes(config: str) -> tuple[int | None, int | None]:
    """Width and layers, where the configuration calls them what Hugging Face does."""
    values = json.loads(config)
    return values.get("hidden_size"), values.get("num_hidden_layers")


def _naive(created: str) -> datetime:
    """Without a zone: DuckDB needs another package to hand out times with one."""
    return datetime.fromisoformat(created).replace(tzinfo=None)


def _block_nbytes(block: str, dtype: str) -> int:
    extents: list[int] = json.loads(block)
    return prod(extents) * storage_dtype(dtype).itemsize


def _key(number: int, shape: Sequence[int], block: Sequence[int]) -> list[int]:
    """Grid coordinates of the block at row-major position ``number``."""
    key = []
    for extent, step in zip(reversed(shape), reversed(block), strict=True):
        number, coordinate = divmod(number, -(-extent // step))
        key.append(coordinate)
    return key[::-1]
