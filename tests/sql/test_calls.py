"""Model calls found in a parsed statement."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from gpudb.embed_options import EmbedOptions
from gpudb.errors import InputError, SqlError, UnsupportedError
from gpudb.sql.calls import (
    Call,
    as_call,
    has_call,
    has_unnest,
    is_aggregate,
    is_aggregated,
    is_call,
    own_calls,
    scopes,
    varies,
)


def parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="duckdb")


def call(arguments: str, **parameters: object) -> Call:
    node = parsed(f"SELECT embed({arguments}) FROM t").find(exp.Anonymous)
    assert node is not None
    return as_call(node, parameters)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT embed('m', t)", True),
        ("SELECT EMBED('m', t)", True),
        ("SELECT \"embed\"('m', t)", True),
        ("SELECT 'embed(''m'', t)'", False),
        ("SELECT embed FROM embed", False),
        ("SELECT embed.embed FROM t AS embed", False),
        ("SELECT 1 -- embed('m', t)", False),
        ("SELECT embedding('m', t)", False),
        ("SELECT * FROM (SELECT lower(embed('m', t)::VARCHAR))", True),
    ],
)
def test_calls_are_told_from_names_texts_and_comments(sql: str, expected: bool) -> None:
    assert has_call(parsed(sql)) is expected
    assert not has_call(None)


def test_model_and_text_of_a_call() -> None:
    found = call("'tiny', upper(t)")
    assert (found.model, found.shown) == ("tiny", "UPPER(t)")
    assert call("$m, t", m="tiny").model == "tiny"
    assert found.key == call("'tiny', UPPER(t)").key != call("'other', upper(t)").key


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'m', t", EmbedOptions()),
        ("'m', t, 8", EmbedOptions(8)),
        ("'m', t, dimensions => 8, dtype => 'int8'", EmbedOptions(8, dtype="int8")),
        ("'m', t, Prompt := $p, DTYPE => 'binary'", EmbedOptions(None, "query", "binary")),
        ("'m', t, $n", EmbedOptions(16)),
        ("'m', t, NULL, prompt => NULL", EmbedOptions()),
    ],
)
def test_options_of_a_call(arguments: str, expected: EmbedOptions) -> None:
    found = call(arguments, p="query", n=16)
    assert found.options == expected
    assert (found.key == call("'m', t").key) is (expected == EmbedOptions())


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("'a'", True),
        ("NULL", True),
        ("$q", True),
        ("'a' || lower($q)", True),
        ("t", False),
        ("'a' || t", False),
        ("(SELECT max(t) FROM s)", False),
        ("random()::VARCHAR", False),
        ("uuid()::VARCHAR", False),
        ("nextval('s')::VARCHAR", False),
        ("unnest(['a'])", False),
    ],
)
def test_a_constant_needs_no_row(text: str, constant: bool) -> None:
    assert call(f"'m', {text}").is_constant is constant


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ("", SqlError, r"embed\(\): embed takes a model and a text, found 0 arguments"),
        ("'m'", SqlError, "found 1 arguments; write embed"),
        ("'m', t, 1, 2", SqlError, "found 4 arguments"),
        ("'m', t, size => 2", SqlError, "no option size; options are: dimensions, prompt, dtype"),
        ("'m', t, 1 + 1", SqlError, "dimensions is 1 [+] 1; expected a literal or a parameter"),
        ("'m', t, dtype => t", SqlError, "dtype is t; expected a literal"),
        ("'m', t, $missing", SqlError, "parameter 'missing', which was not given; given: n"),
        ("'m', t, 0", InputError, "dimensions is 0; expected a whole number of at least 1"),
        ("'m', t, '8'", InputError, "dimensions is '8'"),
        ("'m', t, 2.5", InputError, "dimensions is Decimal"),
        ("'m', t, dtype => 'int4'", InputError, "'int4'; expected one of float32, float16, int8"),
        ("'m', t, prompt => 3", InputError, "prompt is 3"),
        ("t, 'a'", SqlError, "the model is t; expected its name as a string"),
        ("1, 'a'", SqlError, "the model is 1"),
        ("NULL, 'a'", SqlError, "the model is NULL"),
        ("'a' || 'b', t", SqlError, "the model is 'a' [|][|] 'b'"),
        ("$n, t", SqlError, "the model is [$]n"),
        ("$missing, t", SqlError, "parameter 'missing', which was not given; given: n"),
        ("'m', max(t)", UnsupportedError, "put it in a CTE"),
        ("'m', 'x' || favg(t)", UnsupportedError, "computed after the rows"),
        ("'m', lag(t) OVER ()", UnsupportedError, "computed after the rows"),
        ("'m', embed('m', t)", UnsupportedError, "a model call inside another"),
    ],
)
def test_wrong_arguments_are_named(arguments: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(arguments, n=3)


def test_an_aggregate_of_a_subquery_in_the_text_is_no_aggregate_of_the_rows() -> None:
    assert call("'m', (SELECT max(u) FROM s)").texts[0].find(exp.Max) is not None


def test_scopes_come_inner_first_and_own_their_calls() -> None:
    tree = parsed(
        "WITH a AS (SELECT embed('m', 'cte') FROM t) SELECT embed('m', 'outer') FROM a WHERE "
        "x IN (SELECT embed('m', 'sub') FROM t)"
    )
    found = [[c.texts[0].name for c in own_calls(s, {})] for s in scopes(tree)]
    assert found == [["cte"], ["sub"], ["outer"]]


def test_every_aggregate_of_duckdb_is_known() -> None:
    names = duckdb.sql(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
    ).fetchall()
    assert len(names) > 50
    unknown = []
    for (name,) in names:
        for arguments in ("", "a", "a, b", "a, b, c"):
            try:
                item = parsed(f"SELECT {name}({arguments})")
            except sqlglot.errors.ParseError:
                continue
            if not any(is_aggregate(n) for n in item.find_all(exp.Func)):
                unknown.append(name)
    assert unknown == []


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("embed('m', t)", False),
        ("abs(embed('m', t)[1])", False),
        ("sum(embed('m', t)[1])", True),
        ("histogram(embed('m', t)[1])", True),
        ("count(*) FILTER (embed('m', t)[1] > 1)", True),
        ("sum(1) FILTER (embed('m', t)[1] > 1)", True),
        ("sum(embed('m', t)[1]) OVER ()", False),
        ("sum(embed('m', t)[1]) FILTER (true) OVER ()", False),
        ("rank() OVER (ORDER BY embed('m', t))", False),
        ("sum(sum(embed('m', t)[1])) OVER ()", True),
        ("rank() OVER (ORDER BY max(embed('m', t)))", True),
    ],
)
def test_what_an_aggregate_takes_in(item: str, expected: bool) -> None:
    node = next(n for n in parsed(f"SELECT {item} FROM r").find_all(exp.Anonymous) if is_call(n))
    assert is_aggregated(node) is expected


def test_functions_that_vary_and_that_multiply_rows() -> None:
    assert varies(parsed("SELECT 1 + random()"))
    assert varies(parsed("SELECT gen_random_uuid()"))
    assert not varies(parsed("SELECT abs(random_number)"))
    items = parsed(
        "SELECT unnest(l), 1 + generate_subscripts(l, 1), (SELECT unnest(l)), l"
    ).expressions
    assert [has_unnest(item) for item in items] == [True, True, False, False]


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("classify('m')", SqlError, r"classify takes a model and a text, found 1 arguments"),
        (
            "classify('m', t, t, 1)",
            SqlError,
            r"found 4 arguments; write classify\('model', text\)$",
        ),
        ("classify('m', t, top => 1)", SqlError, "classify has no option top; options are: none"),
        ("score('m', t)", SqlError, r"a model and 2 texts.*write score\('model', a, b\)$"),
        ("score('m', t, tag('m', t))", UnsupportedError, "a model call inside another"),
        ("score('m', t, max(t))", UnsupportedError, r"SELECT score\('model', t\) FROM g"),
        ("tag(m, t)", SqlError, r"tag: the model is m; expected its name.*tag\('model', text\)"),
        ("fill_mask('m', t, 0)", InputError, "top is 0; expected a whole number"),
        ("fill_mask('m', t, top => NULL)", InputError, "top is None"),
    ],
)
def test_wrong_arguments_of_other_functions(sql: str, kind: type[Exception], message: str) -> None:
    node = parsed(f"SELECT {sql} FROM t").find(exp.Anonymous)
    assert node is not None
    with pytest.raises(kind, match=message):
        as_call(node, {})
