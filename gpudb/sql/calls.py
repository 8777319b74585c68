"""Find model calls in a parsed statement, and what they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.sql.connection import Parameters, missing_parameter

FUNCTION = "embed"


@dataclass(frozen=True, slots=True)
class Call:
    """One ``embed(model, text)``."""

    node: exp.Expr
    model: str
    text: exp.Expr

    @property
    def is_constant(self) -> bool:
        """True when the text needs no row: literals and parameters only."""
        return not any(self.text.find_all(exp.Column, exp.Star, exp.Query))

    @property
    def key(self) -> tuple[str, str]:
        """Equal for calls that give equal vectors in one scope."""
        return (self.model, self.text.sql("duckdb"))


def is_call(node: exp.Expr) -> bool:
    """True for a model call."""
    return isinstance(node, exp.Anonymous) and node.name.lower() == FUNCTION


def has_call(node: exp.Expr | None) -> bool:
    """True when there is a model call anywhere below."""
    return node is not None and any(is_call(n) for n in node.find_all(exp.Anonymous))


def own_calls(scope: exp.Select, parameters: Parameters) -> list[Call]:
    """The calls whose nearest enclosing SELECT is ``scope``."""
    return [
        as_call(node, parameters)
        for node in scope.find_all(exp.Anonymous)
        if is_call(node) and node.find_ancestor(exp.Select) is scope
    ]


def scopes(node: exp.Expr) -> Iterator[exp.Select]:
    """Every SELECT, inner ones and earlier CTEs before those that read them."""
    with_ = node.args.get("with_")
    if isinstance(with_, exp.Expr):
        yield from scopes(with_)
    for child in node.iter_expressions():
        if child is not with_:
            yield from scopes(child)
    if isinstance(node, exp.Select):
        yield node


def as_call(node: exp.Expr, parameters: Parameters) -> Call:
    """Check the arguments of a call."""
    arguments = node.expressions
    if len(arguments) != 2:
        raise SqlError(
            f"{node.sql('duckdb')}: embed takes a model and a text, found {len(arguments)} "
            "arguments; write embed('model', text)"
        )
    model, text = arguments
    if inner := next((n for n in text.find_all(exp.AggFunc, exp.Window) if _same(n, node)), None):
        raise UnsupportedError(
            f"{node.sql('duckdb')}: {inner.sql('duckdb')} is computed after the rows that reach "
            "the model; put it in a CTE: "
            "WITH g AS (SELECT … AS t …) SELECT embed('model', t) FROM g"
        )
    return Call(node, _model_name(model, parameters), text)


def _same(inner: exp.Expr, call: exp.Expr) -> bool:
    """True when ``inner`` belongs to the same SELECT as the call, not to a subquery in it."""
    return inner.find_ancestor(exp.Select) is call.find_ancestor(exp.Select)


def _model_name(model: exp.Expr, parameters: Parameters) -> str:
    if isinstance(model, exp.Literal) and model.is_string:
        return str(model.this)
    if isinstance(model, exp.Placeholder):
        if model.name not in parameters:
            raise missing_parameter(model.name, parameters)
        value = parameters[model.name]
        if isinstance(value, str):
            return value
    raise SqlError(
        f"embed: the model is {model.sql('duckdb')}; expected its name as a string, "
        "e.g. embed('minilm', text), or a parameter that holds one"
    )
