"""The block column of a SELECT: an expression over blocks becomes a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.keys import KeyTests
from gpudb.plan.elementwise import Cast, FilterElements, ZipScalar
from gpudb.plan.node import Node
from gpudb.plan.tensor import MAP_FUNCTIONS, Map
from gpudb.sql.connection import Parameters
from gpudb.sql.tensors.functions import (
    AGGREGATES,
    OPERATORS,
    PRODUCTS,
    arguments,
    function_name,
    operator_of,
)
from gpudb.sql.tensors.groups import aggregated
from gpudb.sql.tensors.joins import multiplied, zipped
from gpudb.sql.tensors.relation import NotTaken
from gpudb.sql.tensors.scope import Operand, Scope
from gpudb.sql.tensors.values import is_constant, number

DTYPES = {"REAL[]": "float32", "DOUBLE[]": "float64", "INT[]": "int32", "BIGINT[]": "int64"}
"""Type of a block in SQL -> dtype; sqlglot writes FLOAT as REAL."""


class Blocks:
    """Makes plans of expressions over the blocks of one SELECT.

    Parameters
    ----------
    scope
        Its relations.
    parameters
        Values of the statement's parameters.
    elements
        Relation -> comparisons its elements must pass.
    tests
        Which rows are there, over labels.
    group
        Labels of GROUP BY; None in a query that does not aggregate.
    """

    def __init__(
        self,
        scope: Scope,
        parameters: Parameters,
        elements: Mapping[str, list[tuple[str, float]]],
        tests: KeyTests,
        group: frozenset[int] | None,
    ) -> None:
        self._scope = scope
        self._parameters = parameters
        self._elements = elements
        self._tests = tests
        self._group = group

    def column(self, node: exp.Expr) -> Operand:
        """The blocks that an item of the SELECT list stands for."""
        if self._group is not None:
            return self._operand(node, self._group)
        found = self._operand(node, None)
        self._check_all_used(found, node)
        return found

    def _operand(self, node: exp.Expr, group: frozenset[int] | None) -> Operand:
        """``group``: labels of the groups, inside of no aggregate yet."""
        name = function_name(node)
        if isinstance(node, exp.Paren):
            return self._operand(node.this, group)
        if isinstance(node, exp.Column):
            return self._column(node, group)
        if isinstance(node, exp.Neg):
            return _of(self._operand(node.this, group), lambda n: Map(n, "negative"))
        given = [node.this, node.expression] if type(node) in OPERATORS else arguments(node)
        if (fn := operator_of(node)) is not None:
            _check_count(node, given, 2)
            return self._combined(fn, given[0], given[1], group)
        if name in PRODUCTS:
            _check_count(node, given, 2)
            left, right = (self._operand(part, group) for part in given)
            return multiplied(left, right, PRODUCTS[name], self._scope)
        if name in MAP_FUNCTIONS:
            _check_count(node, given, 1)
            return _of(self._operand(given[0], group), lambda n: Map(n, name))
        if name in AGGREGATES and len(given) == 1:
            return self._aggregate(AGGREGATES[name], given[0], node, group)
        if isinstance(node, exp.Cast) and (dtype := DTYPES.get(node.to.sql("duckdb"))):
            return _of(self._operand(node.this, group), lambda n: Cast(n, dtype))
        raise NotTaken(
            f"{node.sql('duckdb')} is no expression over blocks; compute the "
            "blocks in a subquery, and this over its result"
        )

    def _column(self, node: exp.Column, group: frozenset[int] | None) -> Operand:
        if not self._scope.is_block(node):
            raise NotTaken(f"{node.sql('duckdb')} is a key column; expected blocks")
        if group is not None:
            raise SqlError(
                f"{node.sql('duckdb')} stands outside of an aggregate in a query with GROUP BY; "
                f"write SUM({node.sql('duckdb')})"
            )
        alias = self._scope.block(node)
        operand = self._scope.operand(alias)
        for compare, value in self._elements.get(alias, ()):
            filtered = FilterElements(operand.node, compare, value)
            operand = Operand(filtered, operand.labels, operand.uses)
        return operand

    def _combined(
        self, fn: str, left: exp.Expr, right: exp.Expr, group: frozenset[int] | None
    ) -> Operand:
        """Two blocks, or a block and a number; a number before + or * is one after it."""
        if is_constant(left) and is_constant(right):
            raise NotTaken("two numbers are no block")
        if is_constant(left):
            value = float(number(left, self._parameters))
            swapped = fn in ("subtract", "divide")
            return _of(self._operand(right, group), lambda n: ZipScalar(n, fn, value, swapped))
        if is_constant(right):
            value = float(number(right, self._parameters))
            return _of(self._operand(left, group), lambda n: ZipScalar(n, fn, value))
        return zipped(self._operand(left, group), self._operand(right, group), fn)

    def _aggregate(
        self, fn: str, inner: exp.Expr, node: exp.Expr, group: frozenset[int] | None
    ) -> Operand:
        if group is None:
            if self._group is not None:
                raise SqlError(f"{node.sql('duckdb')}: an aggregate inside another")
            raise NotTaken(f"{node.sql('duckdb')}: an aggregate")
        found = self._operand(inner, None)
        self._check_all_used(found, node)
        return aggregated(found, group, fn, self._tests)

    def _check_all_used(self, found: Operand, node: exp.Expr) -> None:
        if unused := [alias for alias in self._scope.relations if alias not in found.uses]:
            raise NotTaken(
                f"{', '.join(unused)} is joined, but {node.sql('duckdb')} does not use its blocks"
            )


def _of(operand: Operand, make: Callable[[Node], Node]) -> Operand:
    """Another step over the blocks, which leaves their keys as they are."""
    return Operand(make(operand.node), operand.labels, operand.uses)


def _check_count(node: exp.Expr, given: list[exp.Expr], expected: int) -> None:
    if len(given) != expected:
        raise SqlError(f"{node.sql('duckdb')}: found {len(given)} arguments; expected {expected}")
