"""Numbers, lists of them and strings in a statement, written out or as parameters."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.sql.connection import Parameters, missing_parameter


def is_constant(node: exp.Expr) -> bool:
    """True for a number, a string, a list or a parameter: no column is in it."""
    if isinstance(node, exp.Neg | exp.Paren):
        return is_constant(node.this)
    if isinstance(node, exp.Array | exp.Tuple):
        return all(is_constant(part) for part in node.expressions)
    return isinstance(node, exp.Literal | exp.Placeholder)


def value(node: exp.Expr, parameters: Parameters) -> Any:
    """What a constant stands for.

    Raises
    ------
    SqlError
        It is no constant, or the parameter was not given.
    """
    if isinstance(node, exp.Paren):
        return value(node.this, parameters)
    if isinstance(node, exp.Neg) and is_constant(node):
        return -number(node.this, parameters)
    if isinstance(node, exp.Array | exp.Tuple):
        return [value(part, parameters) for part in node.expressions]
    if isinstance(node, exp.Placeholder):
        if node.name not in parameters:
            raise missing_parameter(node.name, parameters)
        return parameters[node.name]
    if isinstance(node, exp.Literal):
        if node.is_string:
            return str(node.this)
        return int(node.this) if node.is_int else float(node.this)
    raise SqlError(f"{node.sql('duckdb')}: expected a number, a list of numbers or a parameter")


def number(node: exp.Expr, parameters: Parameters) -> float:
    """A real number; a whole one is an ``int``."""
    found = value(node, parameters)
    if isinstance(found, bool | str | bytes) or not hasattr(found, "__float__"):
        raise SqlError(f"{node.sql('duckdb')} is {found!r:.60}; expected a number")
    return int(found) if hasattr(found, "__index__") else float(found)


def whole(node: exp.Expr, parameters: Parameters) -> int:
    """A whole number."""
    found = number(node, parameters)
    if not isinstance(found, int):
        raise SqlError(f"{node.sql('duckdb')} is {found!r}; expected a whole number")
    return found


def wholes(node: exp.Expr, parameters: Parameters) -> tuple[int, ...]:
    """A list of whole numbers, also as one parameter that holds a list."""
    if isinstance(node, exp.Array | exp.Tuple):
        return tuple(whole(part, parameters) for part in node.expressions)
    found = value(node, parameters)
    if isinstance(found, list | tuple) and all(type(part) is int for part in found):
        return tuple(found)
    raise SqlError(f"{node.sql('duckdb')} is {found!r:.60}; expected a list of whole numbers")


def text(node: exp.Expr, parameters: Parameters) -> str:
    """A string."""
    found = value(node, parameters)
    if not isinstance(found, str):
        raise SqlError(f"{node.sql('duckdb')} is {found!r:.60}; expected a string")
    return found
