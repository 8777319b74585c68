"""The SELECT list: key columns, perhaps moved, and one column of blocks."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.sql.connection import Parameters
from gpudb.sql.tensors.relation import BLOCK, NotTaken
from gpudb.sql.tensors.scope import Scope
from gpudb.sql.tensors.values import is_constant, whole


@dataclass(frozen=True, slots=True)
class KeyItem:
    """A key column: ``scale`` times the old key, plus ``offset``."""

    name: str
    label: int
    scale: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class BlockItem:
    """The column of blocks."""

    name: str
    expression: exp.Expr


def read_items(
    select: exp.Select, scope: Scope, parameters: Parameters
) -> tuple[list[KeyItem], BlockItem, tuple[str, ...]]:
    """Keys, the block, and the names of all columns in the order written.

    Raises
    ------
    NotTaken
        There is no column of blocks, or more than one.
    """
    keys: list[KeyItem] = []
    blocks: list[BlockItem] = []
    names: list[str] = []
    for item in _spelled_out(select, scope):
        bare = item.unalias()
        if (key := _key(bare, scope, parameters)) is not None:
            name = item.alias or (bare.name if isinstance(bare, exp.Column) else bare.sql("duckdb"))
            keys.append(KeyItem(name, *key))
        else:
            name = item.alias or (bare.name if isinstance(bare, exp.Column) else BLOCK)
            blocks.append(BlockItem(name, bare))
        names.append(name)
    if len(blocks) != 1:
        raise NotTaken(f"found {len(blocks)} columns of blocks; expected one beside the keys")
    labels = [key.label for key in keys]
    if len({n.lower() for n in names}) < len(names) or len(set(labels)) < len(labels):
        raise NotTaken(f"a column is there twice in {', '.join(names)}")
    return keys, blocks[0], tuple(names)


def group_labels(
    select: exp.Select, scope: Scope, keys: list[KeyItem], names: tuple[str, ...]
) -> frozenset[int]:
    """Labels of the columns in GROUP BY: names, aliases, numbers of items, or ALL."""
    group: exp.Group | None = select.args.get("group")
    if group is None:
        return frozenset()
    if any(group.args.get(other) for other in ("rollup", "cube", "grouping_sets")):
        raise NotTaken("GROUP BY of several groupings")
    if group.args.get("all"):
        return frozenset(key.label for key in keys)
    by_name = {key.name.lower(): key.label for key in keys}
    labels = set()
    for part in group.expressions:
        if isinstance(part, exp.Literal) and part.is_int:
            name = names[int(part.this) - 1] if 0 < int(part.this) <= len(names) else ""
            if name.lower() not in by_name:
                raise SqlError(f"GROUP BY {part.sql()}: item {part.sql()} is no key column")
            labels.add(by_name[name.lower()])
        elif isinstance(part, exp.Column) and not part.table and part.name.lower() in by_name:
            labels.add(by_name[part.name.lower()])
        else:
            labels.add(scope.key(part))
    return frozenset(labels)


def _spelled_out(select: exp.Select, scope: Scope) -> list[exp.Expr]:
    """The items, ``*`` as the columns it stands for."""
    items: list[exp.Expr] = []
    for item in select.expressions:
        qualified = isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
        star = item if isinstance(item, exp.Star) else item.this if qualified else None
        if star is None:
            items.append(item)
            continue
        if any(star.args.values()):
            raise NotTaken("* with EXCLUDE, REPLACE or RENAME")
        aliases = [a for a in scope.relations if not qualified or a.lower() == item.table.lower()]
        items += [
            exp.column(name, table=alias, quoted=True)
            for alias in aliases
            for name in scope.relations[alias].columns
        ]
    return items


def _key(node: exp.Expr, scope: Scope, parameters: Parameters) -> tuple[int, int, int] | None:
    """Label, scale and offset of a linear function of a key; None for what is none."""
    if isinstance(node, exp.Paren):
        return _key(node.this, scope, parameters)
    if isinstance(node, exp.Column):
        return None if scope.is_block(node) else (scope.key(node), 1, 0)
    if not isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Neg):
        return None
    if isinstance(node, exp.Neg):
        inner = _key(node.this, scope, parameters)
        return None if inner is None else (inner[0], -inner[1], -inner[2])
    left, right = node.this, node.expression
    negative = isinstance(node, exp.Sub)
    if is_constant(left) and (inner := _key(right, scope, parameters)) is not None:
        label, scale, offset = inner
        value = whole(left, parameters)
        if isinstance(node, exp.Mul):
            return label, value * scale, value * offset
        return (label, -scale, value - offset) if negative else (label, scale, value + offset)
    if is_constant(right) and (inner := _key(left, scope, parameters)) is not None:
        label, scale, offset = inner
        value = whole(right, parameters)
        if isinstance(node, exp.Mul):
            return label, value * scale, value * offset
        return label, scale, offset - value if negative else offset + value
    return None
