"""What the catalog's functions take and return: frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gpudb.types import TensorSchema


@dataclass(frozen=True, slots=True)
class Version:
    """One import of a model."""

    id: int
    model: str
    number: int
    """1 for the first import under this name."""
    architecture: str
    config: Mapping[str, Any]
    """The checkpoint's configuration."""
    plan: str
    """The encoder's logical plan, as JSON text."""
    function: Mapping[str, Any]
    """What surrounds the encoder: pooling, normalise, max_tokens, prompt."""
    tokenizer: str | None
    """Hash of the tokenizer, for :func:`gpudb.catalog.models.tokenizer`."""
    dtype: str
    """Logical dtype of most of the weights."""
    source: str
    """Where it was imported from."""
    created: datetime
    """UTC."""
    parameters: int
    nbytes: int
    """Bytes of all its tensors, whether or not blocks are shared."""

    @property
    def label(self) -> str:
        """``model@number``."""
        return f"{self.model}@{self.number}"


@dataclass(frozen=True, slots=True)
class StoredHead:
    """What a version computes for a task beside its vectors."""

    kind: str
    """``classify``, ``tag`` or ``fill_mask``."""
    plan: str
    """Its logical plan, as JSON text; ends in logits."""
    labels: tuple[str, ...]
    """Names of the outputs; empty where they are the words of the vocabulary."""
    function: Mapping[str, Any]
    """What makes probabilities of logits: see :mod:`gpudb.models.head_function`."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of the catalog."""

    id: int
    schema: TensorSchema
    version: int | None
    """Id of the version it belongs to; None for a tensor of its own."""
    keys: tuple[str, ...] = ()
    """Names of its key columns; empty for i0, i1, …"""

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of its key columns, one per axis."""
        return self.keys or tuple(f"i{axis}" for axis in range(self.schema.ndim))


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A stored tensor, as a query may name it."""

    label: str
    """Its name in a plan, unique among all models: ``x``, ``model@1/x``."""
    tensor: StoredTensor
    keys: tuple[str, ...]
    """Names of its key columns."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a block lies."""

    page: str
    """Hash of the page."""
    row: int


@dataclass(frozen=True, slots=True)
class PageRecord:
    """A page as the catalog knows it."""

    hash: str
    dtype: str
    nbytes: int
    """Size of the file, in bytes."""
    blocks: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Consecutive blocks of a tensor that fit one LIST column."""

    first_block: int
    blocks: int


@dataclass(frozen=True, slots=True)
class TablePart:
    """One Parquet file of a user table."""

    file: str
    """Relative to the database folder, or absolute when ``external``."""
    rows: int
    nbytes: int
    external: bool
    """Scanned where it lies; not the database's to delete."""


@dataclass(frozen=True, slots=True)
class UserTable:
    """A table of the user."""

    id: int
    name: str
    schema: bytes
    """Serialised Arrow schema."""
    created: datetime
    """UTC."""
    rows: int
    parts: tuple[TablePart, ...]


def now() -> str:
    """The time as the catalog stores it: ISO 8601, UTC, microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
