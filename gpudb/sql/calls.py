"""Find model calls in a parsed statement, and what they depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.functions import FUNCTIONS, ModelFunction, Options
from gpudb.sql.connection import Parameters, missing_parameter

CallKey: TypeAlias = tuple[str, str, tuple[str, ...], Options]

_NAMED = (exp.Kwarg, exp.PropertyEQ)
"""``name => value`` and ``name := value``."""
_VARYING = frozenset({"random", "gen_random_uuid", "uuidv4", "uuidv7", "nextval"})
_UNNEST = frozenset({"unnest", "generate_subscripts"})
_AGGREGATES = frozenset(
    {
        "arbitrary", "arg_max_null", "arg_max_nulls_last", "arg_min_null", "arg_min_nulls_last",
        "bitstring_agg", "combine_aggr", "count_star", "decimal_average", "entropy", "favg",
        "fsum", "geomean", "geometric_mean", "histogram", "histogram_exact", "json_group_array",
        "json_group_object", "kahan_sum", "kurtosis_pop", "lttb", "mad", "mean", "product",
        "reservoir_quantile", "sem", "sum_no_overflow", "sumkahan", "variant_group_array",
        "variant_group_object", "wavg", "weighted_avg",
    }
)  # fmt: skip
"""DuckDB's aggregates that sqlglot takes for ordinary functions."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function that a model answers, perhaps with options."""

    node: exp.Expr
    function: ModelFunction
    model: str
    texts: tuple[exp.Expr, ...]
    options: Options

    @property
    def is_constant(self) -> bool:
        """True when the texts need no row: literals and parameters only."""
        return not any(
            varies(text) or has_unnest(text) or any(text.find_all(exp.Column, exp.Star, exp.Query))
            for text in self.texts
        )

    @property
    def key(self) -> CallKey:
        """Equal for calls that give equal answers in one scope."""
        texts = tuple(text.sql("duckdb") for text in self.texts)
        return (self.function.name, self.model, texts, self.options)

    @property
    def shown(self) -> str:
        """The texts, for people."""
        return ", ".join(text.sql("duckdb") for text in self.texts)


def is_call(node: exp.Expr) -> bool:
    """True for a model call."""
    return isinstance(node, exp.Anonymous) and node.name.lower() in FUNCTIONS


def called(node: exp.Expr | None) -> str:
    """The function of a model call anywhere below; empty where there is none."""
    calls = node.find_all(exp.Anonymous) if node is not None else ()
    return next((n.name.lower() for n in calls if is_call(n)), "")


def has_call(node: exp.Expr | None) -> bool:
    """True when there is a model call anywhere below."""
    return bool(called(node))


def in_from(function: str) -> UnsupportedError:
    """The error of a call in FROM."""
    return UnsupportedError(
        f"{function} in FROM: a model runs over rows, so it cannot make them; call it in the "
        "SELECT list or in WHERE"
    )


def is_aggregate(node: exp.Expr) -> bool:
    """True for an aggregate, also one that a window runs."""
    return isinstance(node, exp.AggFunc) or (
        isinstance(node, exp.Anonymous) and node.name.lower() in _AGGREGATES
    )


def is_aggregated(node: exp.Expr) -> bool:
    """True for what an aggregate takes in; an aggregate with OVER takes in one row per group."""
    around = node.parent
    while around is not None:
        if isinstance(around, exp.Filter) and not _has_over(around.this):
            return True
        if is_aggregate(around) and not _has_over(around):
            return True
        around = around.parent
    return False


def _has_over(function: exp.Expr) -> bool:
    while isinstance(function.parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        function = function.parent
    return isinstance(function.parent, exp.Window) and function.parent.this is function


def varies(node: exp.Expr) -> bool:
    """True when every evaluation gives another value, as random() does."""
    return any(
        isinstance(n, exp.Rand | exp.Uuid) or n.name.lower() in _VARYING
        for n in node.find_all(exp.Func)
    )


def has_unnest(node: exp.Expr) -> bool:
    """True when one row becomes as many as a list has values; subqueries do not count."""
    around = node.find_ancestor(exp.Query)
    return any(
        (isinstance(n, exp.Explode | exp.UDTF) or n.name.lower() in _UNNEST)
        and n.find_ancestor(exp.Query) is around
        for n in node.find_all(exp.Func, exp.UDTF)
    )


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
    function = FUNCTIONS[node.name.lower()]
    shown = node.sql("duckdb", normalize_functions=False)
    arguments = [a for a in node.expressions if not isinstance(a, _NAMED)]
    named = {a.name.lower(): a.expression for a in node.expressions if isinstance(a, _NAMED)}
    options = [field.name for field in fields(function.options)]
    least = 1 + len(function.texts)
    most = least + len(function.more)
    if not least <= len(arguments) <= most + bool(options):
        raise SqlError(
            f"{shown}: {function.name} takes a model and "
            f"{'a text' if least == 2 else f'{least - 1} texts'}, found {len(arguments)} "
            f"arguments; write {function.example}{', and options by name' if options else ''}"
        )
    model, *texts = arguments[:most]
    if arguments[most:]:
        named[options[0]] = arguments[most]
    if isinstance(node.parent, exp.Table):
        raise in_from(function.name)
    for text in texts:
        _check_text(text, node, function, shown)
    return Call(
        node,
        function,
        _model_name(model, function, parameters),
        tuple(texts),
        _options(shown, function, named, parameters),
    )


def _check_text(text: exp.Expr, node: exp.Expr, function: ModelFunction, shown: str) -> None:
    if has_call(text):
        raise UnsupportedError(
            f"{shown}: a model call inside another; compute the inner one in a CTE first"
        )
    late = (
        n
        for n in text.find_all(exp.Func, exp.Window)
        if is_aggregate(n) or isinstance(n, exp.Window)
    )
    if inner := next((n for n in late if _same(n, node)), None):
        raise UnsupportedError(
            f"{shown}: {inner.sql('duckdb')} is computed after the rows that reach "
            "the model; put it in a CTE: "
            f"WITH g AS (SELECT … AS t …) SELECT {function.name}('model', t) FROM g"
        )


def _same(inner: exp.Expr, call: exp.Expr) -> bool:
    """True when ``inner`` belongs to the same SELECT as the call, not to a subquery in it."""
    return inner.find_ancestor(exp.Select) is call.find_ancestor(exp.Select)


def _options(
    shown: str, function: ModelFunction, named: Mapping[str, exp.Expr], parameters: Parameters
) -> Options:
    known = [field.name for field in fields(function.options)]
    if unknown := sorted(named.keys() - set(known)):
        raise SqlError(
            f"{shown}: {function.name} has no option {', '.join(unknown)}; options are: "
            f"{', '.join(known) or 'none'}"
        )
    values = {n: _constant(function, n, value, parameters) for n, value in named.items()}
    return function.options(**values)


def _constant(function: ModelFunction, name: str, value: exp.Expr, parameters: Parameters) -> Any:
    """The value of an option: a literal, NULL or a parameter."""
    if isinstance(value, exp.Placeholder):
        if value.name not in parameters:
            raise missing_parameter(value.name, parameters)
        return parameters[value.name]
    if isinstance(value, exp.Null):
        return None
    if isinstance(value, exp.Literal):
        return value.to_py()
    raise SqlError(
        f"{function.name}: {name} is {value.sql('duckdb')}; expected a literal or a parameter: "
        "what type the answers have must be known before a row is read"
    )


def _model_name(model: exp.Expr, function: ModelFunction, parameters: Parameters) -> str:
    if isinstance(model, exp.Literal) and model.is_string:
        return str(model.this)
    if isinstance(model, exp.Placeholder):
        if model.name not in parameters:
            raise missing_parameter(model.name, parameters)
        value = parameters[model.name]
        if isinstance(value, str):
            return value
    raise SqlError(
        f"{function.name}: the model is {model.sql('duckdb')}; expected its name as a string, "
        f"e.g. {function.example}, or a parameter that holds one"
    )
