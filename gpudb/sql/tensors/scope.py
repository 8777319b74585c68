"""The relations in FROM, and which of their key columns are equal.

Every key column has a label, a number; columns that a query sets equal have the same one. An axis
without a key column lies inside every block. Its label is negative and counts from the last axis,
so that blocks are aligned as NumPy aligns arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.keys import KeyTests, renumbered
from gpudb.plan.node import Node
from gpudb.sql.tensors.relation import NotTaken, Relation

Labels = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operand:
    """A plan whose axes have labels, and the relations whose blocks are in it."""

    node: Node
    labels: Labels
    uses: frozenset[str]

    def axis(self, label: int) -> int | None:
        """The axis with a label."""
        return self.labels.index(label) if label in self.labels else None


def inside(labels: Labels) -> Labels:
    """Labels with those of axes inside blocks counted again, from the last axis."""
    last = len(labels)
    return tuple(a - last if label < 0 else label for a, label in enumerate(labels))


class Scope:
    """Key columns and blocks under the names of one SELECT."""

    def __init__(self) -> None:
        self.relations: dict[str, Relation] = {}
        self._labels: dict[str, list[int]] = {}
        self._names: list[str] = []

    def add(self, alias: str, relation: Relation) -> None:
        """Another relation of FROM."""
        if alias in self.relations:
            raise SqlError(f"two tables are called {alias!r} here; give one of them an alias")
        self.relations[alias] = relation
        labels = []
        for axis, key in enumerate(relation.keys):
            if key is None:
                labels.append(axis - len(relation.keys))
            else:
                labels.append(len(self._names))
                self._names.append(f"{alias}.{key}")
        self._labels[alias] = labels

    def equate(self, left: int, right: int) -> None:
        """The columns of two labels are equal."""
        keep, gone = min(left, right), max(left, right)
        for alias, labels in self._labels.items():
            self._labels[alias] = [keep if label == gone else label for label in labels]
            if self._labels[alias].count(keep) > 1:
                raise NotTaken(
                    f"the query sets two key columns of {alias} equal through another table; "
                    "filter on them in a subquery first"
                )

    def together(self, one: int, other: int) -> bool:
        """True for two columns of one relation: to set them equal is a test, no join."""
        return any(one in labels and other in labels for labels in self._labels.values())

    def name(self, label: int) -> str:
        """A column with that label, for messages."""
        return self._names[label] if label >= 0 else "an axis inside the blocks"

    def operand(self, alias: str) -> Operand:
        """The blocks of a relation."""
        labels = tuple(self._labels[alias])
        return Operand(self.relations[alias].plan, labels, frozenset({alias}))

    def pending(self) -> KeyTests:
        """What the relations' rows must pass, over labels."""
        tests: list[tuple[object, str, object]] = []
        for alias, relation in self.relations.items():
            labels = dict(enumerate(self._labels[alias]))
            tests += renumbered(relation.tests, labels) or ()
        return tuple(tests)

    def is_block(self, node: exp.Expr) -> bool:
        """True for a column of blocks."""
        return isinstance(node, exp.Column) and self._find(node)[1] is None

    def block(self, node: exp.Column) -> str:
        """The relation whose blocks a column holds."""
        return self._find(node)[0]

    def key(self, node: exp.Expr) -> int:
        """The label of a key column."""
        if not isinstance(node, exp.Column):
            raise NotTaken(f"{node.sql('duckdb')} is no key column")
        alias, axis = self._find(node)
        if axis is None:
            raise NotTaken(f"{node.sql('duckdb')} holds blocks; expected a key column")
        return self._labels[alias][axis]

    def _find(self, node: exp.Column) -> tuple[str, int | None]:
        """Relation and axis of a column; None for the axis of its blocks."""
        shown = node.sql("duckdb")
        wanted, table = node.name.lower(), node.table.lower()
        found: list[tuple[str, int | None]] = []
        for alias, relation in self.relations.items():
            if table and table != alias.lower():
                continue
            if wanted == relation.block.lower():
                found.append((alias, None))
            axes = relation.axes
            found += [(alias, axes[key]) for key in axes if key.lower() == wanted]
        if len(found) == 1:
            return found[0]
        labels = {self._labels[a][axis] for a, axis in found if axis is not None}
        if len(labels) == 1 and len(found) > 1 and all(axis is not None for _, axis in found):
            return found[0]  # joined with USING: the same in all
        if found:
            tables = ", ".join(alias for alias, _ in found)
            raise SqlError(f"{shown}: {tables} have a column of that name; write table.{wanted}")
        columns = "; ".join(f"{a}: {', '.join(r.columns)}" for a, r in self.relations.items())
        raise NotTaken(f"no column {shown}; columns are {columns}")
