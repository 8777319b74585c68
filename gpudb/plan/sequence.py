"""Nodes that work on sequences of rows: attention and pooling.

Tokens are rows and nothing is padded. ``sequences`` is the sequence relation as cumulative offsets
``(sequences + 1,)``: sequence ``s`` owns the rows ``offsets[s] <= row < offsets[s + 1]``. The
pairs of tokens that share a sequence are a relation of their own, in order of (sequence, query row,
key row); its extent is called ``pairs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite

from gpudb.errors import SchemaError
from gpudb.plan.node import Node
from gpudb.plan.tensor import check_floating
from gpudb.types import Extent, TensorSchema, computed_dtype

POOLINGS = ("mean", "cls", "max", "last", "root_mean", "rising_mean")


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Node):
    """Join queries with keys on (sequence, head); scaled dot product of each pair.

    ``(tokens, width)`` twice -> ``(pairs, heads)``. With ``relative`` ``(heads or 1, 2·m - 1)``, a
    number that depends on the distance from query to key is added, joined on (head, distance): row
    i and row j of a sequence get ``relative[h, clip(j - i, 1 - m, m - 1) + m - 1]``. The columns at
    both ends are for all distances that are longer, so a window is zeros between infinities.

    Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
    Transformer", 2019, section 2.1.
    """

    query: Node
    key: Node
    sequences: Node
    heads: int
    scale: float
    relative: Node | None = None

    def __post_init__(self) -> None:
        _check_heads(self.query, self.heads)
        _check_relative(self.query, self.relative, self.heads)

    @cached_property
    def schema(self) -> TensorSchema:
        shape = ("pairs", self.heads)
        return TensorSchema("scores", shape, shape, computed_dtype(self.query.schema.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class DistanceScores(Node):
    """Join rows with a table on (head, distance); scaled dot product of each pair.

    ``(tokens, width)``, ``(r, width)``, ``(2m - 1,)`` -> ``(pairs, heads)``. ``rows`` names the row
    of the table for each distance from query to key, those at both ends for all that are longer;
    it is multiplied with the query's row of ``x``, or with the key's where ``by_key``.

    He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", 2020, section 3.1.
    """

    x: Node
    table: Node
    rows: Node
    sequences: Node
    heads: int
    scale: float
    by_key: bool

    def __post_init__(self) -> None:
        width = _check_heads(self.x, self.heads)
        table, rows = self.table.schema, self.rows.schema
        check_floating("DistanceScores", table)
        if table.ndim != 2 or table.shape[1] != width:
            raise SchemaError(
                f"DistanceScores: {table.name} is {table}; needs rows of {width} numbers"
            )
        if rows.ndim != 1 or "int" not in rows.dtype or rows.numbers[0] % 2 == 0:
            raise SchemaError(
                f"DistanceScores: {rows.name} is {rows}; needs a row number for each distance, as "
                "many to the left as to the right"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        shape = ("pairs", self.heads)
        return TensorSchema("distance_scores", shape, shape, computed_dtype(self.x.schema.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Node):
    """Group pairs by (query row, head): max, sum of exp; join back and divide."""

    scores: Node
    sequences: Node

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.scores.schema
        return TensorSchema("softmax", s.shape, s.block, s.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class ByDistance(Node):
    """Join a table with all pairs of rows on (head, distance): ``(tokens, heads, tokens)``.

    The relational reading, over blocks, of what :class:`Scores` adds by distance; blocks in which
    no pair of rows shares a sequence are missing.
    """

    relative: Node
    """``(heads or 1, 2m - 1)``."""
    offsets: tuple[int, ...]
    """As for :class:`SequenceSoftmax`."""
    heads: int
    block: int
    """Rows, and columns, of a block, which has one head."""

    @cached_property
    def schema(self) -> TensorSchema:
        tokens, block = self.offsets[-1], self.block
        shape, blocks = (tokens, self.heads, tokens), (block, 1, block)
        return TensorSchema(
            "by_distance", shape, blocks, computed_dtype(self.relative.schema.dtype)
        )

    def label(self) -> str:
        return f"ByDistance({len(self.offsets) - 1} sequences)"


@dataclass(frozen=True, eq=False, repr=False)
class SequenceSoftmax(Node):
    """Softmax over the last axis of ``(tokens, heads, tokens)``, within sequences.

    The relational reading of attention's softmax over blocks: pairs of tokens that do not share a
    sequence do not take part and come out as zero, so whole blocks of them are missing.
    """

    child: Node
    offsets: tuple[int, ...]
    """The sequence relation: sequence ``s`` has the rows ``offsets[s] <= row < offsets[s + 1]``."""

    def __post_init__(self) -> None:
        s = self.child.schema
        rising = all(a <= b for a, b in pairwise(self.offsets))
        if s.ndim != 3 or s.shape[0] != s.shape[2] or s.block[0] != s.block[2]:
            raise SchemaError(
                f"SequenceSoftmax: {s.name} is {s}; needs (tokens, heads, tokens), both cut alike"
            )
        if not rising or self.offsets[:1] != (0,) or self.offsets[-1] != s.shape[0]:
            raise SchemaError(
                f"SequenceSoftmax: offsets {self.offsets!r:.100} must rise from 0 to {s.shape[0]}"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        return self.child.schema.renamed("sequence_softmax")

    def label(self) -> str:
        return f"SequenceSoftmax({len(self.offsets) - 1} sequences)"


@dataclass(frozen=True, eq=False, repr=False)
class Context(Node):
    """Join weights with values on (sequence, head, key row); sum by query row.

    ``(pairs, heads)``, ``(tokens, width)`` -> ``(tokens, width)``.
    """

    weights: Node
    value: Node
    sequences: Node

    @cached_property
    def schema(self) -> TensorSchema:
        v = self.value.schema
        return TensorSchema("context", v.shape, v.block, computed_dtype(v.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class Attention(Node):
    """Scores, softmax and context in one step; the scores are never stored.

    With ``bias`` ``(3·width,)``, its thirds are added to query, key and value first. ``relative``
    is as in :class:`Scores`. Vaswani et al., "Attention Is All You Need", 2017.
    """

    query: Node
    key: Node
    value: Node
    sequences: Node
    heads: int
    scale: float
    bias: Node | None = None
    relative: Node | None = None

    def __post_init__(self) -> None:
        width = _check_heads(self.query, self.heads)
        _check_relative(self.query, self.relative, self.heads)
        if self.bias is not None and self.bias.schema.shape != (3 * width,):
            raise SchemaError(
                f"attention: {self.bias.schema.name} is {self.bias.schema}; the bias of query, key "
                f"and value of width {width} has {3 * width} numbers"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        v = self.value.schema
        return TensorSchema("attention", v.shape, v.block, computed_dtype(v.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class Rotary(Node):
    """Join rows with their positions; turn pairs of columns of each head by them.

    ``(tokens, heads · d)``, ``(tokens,)`` -> ``(tokens, heads · d)``.
    Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
    """

    x: Node
    positions: Node
    heads: int
    base: float
    """Pair ``i`` goes round by ``position · base^(-2i / part)``; also called theta."""
    part: int
    """Columns of each head that are turned, its first ones; the others stay as they are."""
    interleaved: bool = False
    """Whether pairs are neighbours; else they are half of the part apart."""

    def __post_init__(self) -> None:
        s, positions = self.x.schema, self.positions.schema
        check_floating("rotary", s)
        width = _check_heads(self.x, self.heads, "rotary") // self.heads
        if positions.shape != s.shape[:1] or "int" not in positions.dtype:
            raise SchemaError(
                f"rotary: {positions.name} is {positions}; expected a whole number for each row of "
                f"{s.name} ({s})"
            )
        if self.part % 2 or not 0 < self.part <= width:
            raise SchemaError(
                f"rotary: {self.part} columns of heads of width {width} cannot be turned in pairs; "
                f"expected an even number from 2 to {width}"
            )
        if not (isfinite(self.base) and self.base > 0):
            raise SchemaError(f"rotary: the base is {self.base}; expected a number above 0")

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.x.schema
        return TensorSchema("rotary", s.shape, s.block, computed_dtype(s.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class Pool(Node):
    """Group rows by sequence: a mean, max, first or last. ``(tokens, w)`` -> ``(sequences, w)``.

    :mod:`gpudb.kernels.pool` says what the kinds mean.
    """

    child: Node
    sequences: Node
    kind: str

    def __post_init__(self) -> None:
        if self.kind not in POOLINGS:
            raise SchemaError(f"Pool: no kind {self.kind!r}; there are {', '.join(POOLINGS)}")

    @cached_property
    def schema(self) -> TensorSchema:
        return _pooled(self.child)


@dataclass(frozen=True, eq=False, repr=False)
class Normalize(Node):
    """Group by row: Euclidean norm, at least ``eps``; join back and divide."""

    child: Node
    eps: float

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        return TensorSchema("normalize", s.shape, s.block, s.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class PoolNormalize(Node):
    """:class:`Pool`, then :class:`Normalize`, in one step."""

    child: Node
    sequences: Node
    kind: str
    eps: float

    @cached_property
    def schema(self) -> TensorSchema:
        return _pooled(self.child)


def _pooled(child: Node) -> TensorSchema:
    width: Extent = child.schema.shape[1]
    shape = ("sequences", width)
    return TensorSchema("pool", shape, shape, computed_dtype(child.schema.dtype))


def _check_heads(query: Node, heads: int, step: str = "attention") -> int:
    """The width of the query, when it can be cut into so many heads."""
    width = query.schema.shape[1]
    if not isinstance(width, int) or heads < 1 or width % heads:
        raise SchemaError(f"{step}: width {width} cannot be cut into {heads} equal heads")
    return width


def _check_relative(query: Node, relative: Node | None, heads: int) -> None:
    """Raise unless it is a table of numbers by head and distance, as many to the left as right."""
    if relative is None:
        return
    q, s = query.schema, relative.schema
    check_floating("attention", s)
    if computed_dtype(s.dtype) != computed_dtype(q.dtype):
        raise SchemaError(
            f"attention: {q.name} is {q}, and {s.name}, which is added to its scores, is {s}; "
            "both must be float64, or neither"
        )
    rows, columns = s.shape if s.ndim == 2 else (0, 0)
    if rows not in (1, heads) or not isinstance(columns, int) or columns % 2 == 0:
        raise SchemaError(
            f"attention: {s.name} is {s}; numbers by distance for {heads} heads have the shape "
            f"({heads} or 1, 2m - 1)"
        )
