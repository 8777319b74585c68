"""The functions of blocks by their names in SQL."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from gpudb.plan.tensor import MAP_FUNCTIONS

PRODUCTS: Mapping[str, str] = {"matmul": "matmul", "matmul_t": "matmul_transposed"}
"""Function in SQL -> join kernel that sums inside each pair of blocks."""

ZIPS: Mapping[str, str] = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "divide": "divide",
    "maximum": "maximum",
    "minimum": "minimum",
}
"""Function in SQL -> function of two elements."""

OPERATORS: Mapping[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Div: "divide",
}
"""Operator in SQL -> function of two elements."""

AGGREGATES: Mapping[str, str] = {
    "sum": "sum",
    "avg": "mean",
    "mean": "mean",
    "min": "min",
    "max": "max",
    "count": "count",
    "argmax": "argmax",
}
"""Aggregate in SQL -> how the blocks of a group become one."""

ONLY_TENSORS = {*PRODUCTS, *ZIPS, "argmax", *MAP_FUNCTIONS} - {
    *("abs", "add", "argmax", "divide", "exp", "sqrt", "tanh"),
}
"""Functions that DuckDB does not have: who writes one means blocks."""


def function_name(node: exp.Expr) -> str:
    """Name of a function in small letters; empty for what is none."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    if isinstance(node, exp.Avg):
        return "avg"
    return str(node.key) if isinstance(node, exp.Func) else ""


def arguments(node: exp.Expr) -> list[exp.Expr]:
    """What a function is given, in order."""
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    found: list[object] = []
    for name in node.arg_types:
        given = node.args.get(name)
        found += given if isinstance(given, list) else [given]
    return [part for part in found if isinstance(part, exp.Expr)]


def operator_of(node: exp.Expr) -> str | None:
    """The function of two elements that a node applies, by sign or by name."""
    return OPERATORS.get(type(node)) or ZIPS.get(function_name(node))
