"""WHERE and ON over tensors: equal keys, tests on keys, tests on elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from gpudb.keys import KeyTest, KeyTests
from gpudb.sql.connection import Parameters
from gpudb.sql.tensors.relation import NotTaken
from gpudb.sql.tensors.scope import Scope
from gpudb.sql.tensors.values import is_constant, number, whole, wholes

COMPARE: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Conditions:
    """What the conditions of a SELECT come down to; columns that must be equal get one label."""

    def __init__(self, scope: Scope, parameters: Parameters) -> None:
        self._scope = scope
        self._parameters = parameters
        self._tests: list[tuple[exp.Column, str, object]] = []
        self.elements: dict[str, list[tuple[str, float]]] = {}
        """Relation -> comparisons that its elements must pass, those that fail count as zero."""

    def add(self, condition: exp.Expr) -> None:
        """One more that must hold, an AND of any number."""
        for part in _parts(condition):
            self._add(part)

    @property
    def tests(self) -> KeyTests:
        """Tests on keys, over labels."""
        tests: list[KeyTest] = []
        for column, op, value in self._tests:
            if isinstance(value, exp.Column):
                value = f"i{self._scope.key(value)}"
            tests.append((self._scope.key(column), op, value))
        return tuple(tests)

    def _add(self, part: exp.Expr) -> None:
        if isinstance(part, exp.Between):
            column = self._key(part.this)
            low, high = part.args["low"], part.args["high"]
            self._tests.append((column, ">=", whole(self._constant(low), self._parameters)))
            self._tests.append((column, "<=", whole(self._constant(high), self._parameters)))
        elif isinstance(part, exp.In) and part.expressions:
            column = self._key(part.this)
            values = [whole(self._constant(v), self._parameters) for v in part.expressions]
            self._tests.append((column, "in", tuple(values)))
        elif isinstance(part, exp.In) and isinstance(part.args.get("field"), exp.Placeholder):
            values = list(wholes(part.args["field"], self._parameters))
            self._tests.append((self._key(part.this), "in", tuple(values)))
        elif type(part) in COMPARE:
            self._compare(part.this, COMPARE[type(part)], part.expression)
        else:
            raise NotTaken(f"{part.sql('duckdb')}: no comparison of a key or a block")

    def _compare(self, left: exp.Expr, op: str, right: exp.Expr) -> None:
        if is_constant(left):
            left, right, op = right, left, FLIPPED.get(op, op)
        if self._scope.is_block(left) and is_constant(right):
            assert isinstance(left, exp.Column)
            tests = self.elements.setdefault(self._scope.block(left), [])
            tests.append((op, float(number(right, self._parameters))))
        elif is_constant(right):
            self._tests.append((self._key(left), op, whole(right, self._parameters)))
        else:
            self._compare_keys(self._key(left), op, self._key(right))

    def _compare_keys(self, left: exp.Column, op: str, right: exp.Column) -> None:
        one, other = self._scope.key(left), self._scope.key(right)
        if op == "=" and not self._scope.together(one, other):
            self._scope.equate(one, other)
        elif one != other:
            self._tests.append((left, op, right))
        elif op in ("!=", "<", ">"):
            raise NotTaken(f"{left.sql('duckdb')} {op} itself holds nowhere")

    def _key(self, node: exp.Expr) -> exp.Column:
        self._scope.key(node)
        assert isinstance(node, exp.Column)
        return node

    def _constant(self, node: exp.Expr) -> exp.Expr:
        if not is_constant(node):
            raise NotTaken(f"{node.sql('duckdb')} is no number")
        return node


def _parts(condition: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(condition, exp.Paren):
        yield from _parts(condition.this)
    elif isinstance(condition, exp.And):
        yield from _parts(condition.this)
        yield from _parts(condition.expression)
    else:
        yield condition
