"""What a node refuses to be built over, and how plans are walked and rewritten."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Any

import pytest

from gpudb.errors import SchemaError
from gpudb.plan.explain import explain
from gpudb.plan.node import Node, rewrite, uses, walk
from gpudb.plan.rules import NEEDED, RULES, optimize
from gpudb.plan.sequence import Attention, DistanceScores, Pool, Rotary, Scores
from gpudb.plan.serialize import plan_to_json
from gpudb.plan.tensor import (
    Coalesce,
    Columns,
    ConcatRows,
    Constant,
    Gather,
    Input,
    LayerNorm,
    Map,
    Matmul,
    Reblock,
    Scan,
    Zip,
)
from gpudb.types import TensorSchema
from tests.tiny_plans import bert_encoder


def scan(
    name: str, *shape: Any, block: tuple[int, ...] | None = None, dtype: str = "float32"
) -> Scan:
    return Scan(TensorSchema(name, shape, block or shape, dtype))


SEQUENCES = Input(TensorSchema("sequences", ("offsets",), ("offsets",), "int32"))

POSITIONS = scan("positions", "n", dtype="int32")

REFUSED: dict[str, tuple[Callable[[], Node], tuple[str, ...]]] = {
    "matmul of unequal inner extents": (
        lambda: Matmul(scan("left", 2, 3), scan("right", 4, 5)),
        ("left", "2×3", "right", "4×5", "3 and 4"),
    ),
    "matmul transposed": (
        lambda: Matmul(scan("left", 2, 3), scan("right", 3, 4), True),
        ("left", "2×3", "right", "3×4", "3 and 4"),
    ),
    "matmul of a vector": (
        lambda: Matmul(scan("left", 2, 3), scan("right", 3)),
        ("two matrices", "left", "2×3", "right"),
    ),
    "matmul of integers": (
        lambda: Matmul(scan("left", 2, 3, dtype="int32"), scan("right", 3, 4)),
        ("left", "int32", "store it as float32"),
    ),
    "scales of float32": (
        lambda: Scan(scan("x", 2, 3).tensor, scales=scan("x.scales", 2, 1).tensor),
        ("x is 2×3 float32", "x.scales are 2×1 float32", "int8 matrix"),
    ),
    "scales cut otherwise": (
        lambda: Scan(
            scan("x", 4, 3, dtype="int8").tensor, scales=scan("s", 4, 1, block=(2, 1)).tensor
        ),
        ("x is 4×3 int8", "s are 4×1", "cut as its rows are"),
    ),
    "zip of other shapes": (
        lambda: Zip(scan("left", 2, 3), scan("right", 3, 2), "add"),
        ("add", "left", "2×3", "right", "3×2"),
    ),
    "zip with a vector of another length": (
        lambda: Zip(scan("left", 2, 3), scan("right", 2), "divide"),
        ("divide", "left", "2×3", "right is 2 float32"),
    ),
    "zip with the vector on the left": (
        lambda: Zip(scan("left", 3), scan("right", 2, 3), "add"),
        ("left", "right", "2×3"),
    ),
    "zip of integers": (
        lambda: Zip(scan("left", 3), scan("right", 3, dtype="int8"), "add"),
        ("right", "int8", "store it as float32"),
    ),
    "zip with an unknown function": (
        lambda: Zip(scan("left", 3), scan("right", 3), "power"),
        ("'power'", "add", "subtract"),
    ),
    "map with an unknown function": (
        lambda: Map(scan("x", 3), "sin"),
        ("'sin'", "gelu", "tanh"),
    ),
    "map of integers": (
        lambda: Map(scan("x", 3, dtype="int64"), "abs"),
        ("abs", "x", "int64", "store it as float32"),
    ),
    "gather by numbers that are not whole": (
        lambda: Gather(scan("table", 3), scan("rows", 4)),
        ("table (3 float32)", "rows (4 float32)"),
    ),
    "gather by a matrix": (
        lambda: Gather(scan("table", 3, 4), scan("rows", 4, 1, dtype="int32")),
        ("table (3×4", "rows (4×1"),
    ),
    "concat of other widths": (
        lambda: ConcatRows((scan("upper", 2, 3), scan("lower", 2, 4))),
        ("upper (2×3", "lower (2×4"),
    ),
    "concat of other dtypes": (
        lambda: ConcatRows((scan("upper", 2, 3), scan("lower", 2, 3, dtype="float16"))),
        ("upper (2×3 float32)", "lower (2×3 float16)"),
    ),
    "concat of several blocks": (
        lambda: ConcatRows((scan("upper", 2, 3), scan("lower", 2, 3, block=(1, 3)))),
        ("upper", "lower", "coalesce"),
    ),
    "columns outside": (lambda: Columns(scan("x", 2, 3), 1, 4), ("1:4", "3 columns of x")),
    "columns reversed": (lambda: Columns(scan("x", 2, 3), 2, 2), ("2:2", "3 columns of x")),
    "columns of a named extent": (
        lambda: Columns(scan("x", 2, "tokens"), 0, 1),
        ("'tokens' must be a number",),
    ),
    "coalesce of square blocks": (
        lambda: Coalesce(scan("x", 4, 4, block=(2, 2))),
        ("x", "2×2 blocks", "Reblock it"),
    ),
    "reblock of a named extent": (
        lambda: _look_at(Reblock(scan("x", "tokens", 4), (2, 2))),
        ("x", "'tokens'", "2"),
    ),
    "heads that do not divide": (
        lambda: Scores(scan("q", "n", 7), scan("k", "n", 7), SEQUENCES, 2, 1.0),
        ("width 7", "2 equal heads"),
    ),
    "no heads": (
        lambda: Attention(*(scan(n, "n", 6) for n in "qkv"), SEQUENCES, 0, 1.0),
        ("width 6", "0 equal heads"),
    ),
    "attention with a bias of another width": (
        lambda: Attention(*(scan(n, "n", 6) for n in "qkv"), SEQUENCES, 2, 1.0, scan("b", 6)),
        ("b is 6", "width 6", "18 numbers"),
    ),
    "constant of another number of elements": (
        lambda: Constant(TensorSchema("c", (2, 2), (2, 2)), (1.0, 2.0, 3.0)),
        ("c is 2×2", "3 numbers"),
    ),
    "constant in two blocks": (
        lambda: Constant(TensorSchema("c", (4,), (2,)), (1.0, 2.0, 3.0, 4.0)),
        ("c is 4", "one block"),
    ),
    "distances of another number of heads": (
        lambda: _scores_by(scan("b", 3, 5)),
        ("b is 3×5", "(2 or 1, 2m - 1)"),
    ),
    "an even number of distances": (lambda: _scores_by(scan("b", 2, 4)), ("b is 2×4", "2m - 1")),
    "distances in one vector": (lambda: _scores_by(scan("b", 5)), ("b is 5", "2m - 1")),
    "distances in whole numbers": (
        lambda: _scores_by(scan("b", 2, 5, dtype="int32")),
        ("b is 2×5", "int32"),
    ),
    "distances in another precision": (
        lambda: _scores_by(scan("b", 2, 5, dtype="float64")),
        ("q is", "b, which", "float64"),
    ),
    "vectors of distances of another width": (
        lambda: _by_vectors(scan("v", 4, 5), scan("rows", 3, dtype="int32")),
        ("v is 4×5", "rows of 6 numbers"),
    ),
    "rows of distances that are no numbers of rows": (
        lambda: _by_vectors(scan("v", 4, 6), scan("rows", 3)),
        ("rows is 3 float32", "a row number for each distance"),
    ),
    "an even number of rows of distances": (
        lambda: _by_vectors(scan("v", 4, 6), scan("rows", 4, dtype="int32")),
        ("rows is 4", "as many to the left"),
    ),
    "rotary of odd parts": (
        lambda: Rotary(scan("x", "n", 6), POSITIONS, 2, 1e4, 3),
        ("3 columns", "width 3", "even number from 2 to 3"),
    ),
    "rotary of more than a head": (
        lambda: Rotary(scan("x", "n", 8), POSITIONS, 2, 1e4, 6),
        ("6 columns", "width 4"),
    ),
    "rotary of no columns": (
        lambda: Rotary(scan("x", "n", 8), POSITIONS, 2, 1e4, 0),
        ("0 columns",),
    ),
    "rotary of heads that do not divide": (
        lambda: Rotary(scan("x", "n", 7), POSITIONS, 2, 1e4, 2),
        ("rotary", "width 7", "2 equal heads"),
    ),
    "rotary of integers": (
        lambda: Rotary(scan("x", "n", 8, dtype="int32"), POSITIONS, 2, 1e4, 4),
        ("rotary", "x is n×8 int32"),
    ),
    "rotary without a base": (
        lambda: Rotary(scan("x", "n", 8), POSITIONS, 2, 0.0, 4),
        ("base is 0.0", "above 0"),
    ),
    "rotary with positions of other rows": (
        lambda: Rotary(scan("x", 5, 8), POSITIONS, 2, 1e4, 4),
        ("positions is n int32", "x (5×8 float32)"),
    ),
    "rotary with positions that are not whole": (
        lambda: Rotary(scan("x", "n", 8), scan("positions", "n"), 2, 1e4, 4),
        ("positions is n float32",),
    ),
    "pool of an unknown kind": (
        lambda: Pool(scan("x", "n", 6), SEQUENCES, "median"),
        ("'median'", "mean", "cls", "max"),
    ),
}


def _scores_by(relative: Node) -> Node:
    return Scores(scan("q", "n", 6), scan("k", "n", 6), SEQUENCES, 2, 1.0, relative)


def _by_vectors(table: Node, rows: Node) -> Node:
    return DistanceScores(scan("x", "n", 6), table, rows, SEQUENCES, 2, 1.0, False)


def _look_at(node: Node) -> Node:
    assert node.schema
    return node


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_what_was_found(case: str) -> None:
    build, parts = REFUSED[case]
    with pytest.raises(SchemaError) as caught:
        build()
    for part in parts:
        assert part in str(caught.value)


def test_schemas_of_results() -> None:
    x = scan("x", "n", 6)
    w = scan("w", 4, 6, block=(2, 3))
    assert str(Matmul(x, w, True).schema) == "n×4 float32 in n×2 blocks"
    assert str(Gather(w, scan("rows", "n", dtype="int32")).schema) == "n×6 float32 in n×3 blocks"
    assert str(ConcatRows((scan("a", 2, 3), scan("b", 5, 3))).schema) == "7×3 float32"
    assert str(Coalesce(scan("p", 5, 3, block=(2, 3), dtype="float16")).schema) == "5×3 float16"
    assert Columns(x, 2, 5).schema.shape == ("n", 3)
    assert str(Pool(x, SEQUENCES, "cls").schema) == "sequences×6 float32"


@pytest.mark.parametrize("build", [lambda a, b: Matmul(a, b, True), lambda a, b: Zip(a, b, "add")])
def test_the_wider_dtype_wins(build: Callable[[Node, Node], Node]) -> None:
    single, half, double = (scan(d, 3, 3, dtype=d) for d in ("float32", "float16", "float64"))
    assert build(single, double).schema.dtype == "float64"
    assert build(double, half).schema.dtype == "float64"
    assert build(half, half).schema.dtype == "float32"


def _residuals(layers: int) -> tuple[Node, int]:
    """A chain in which every layer reads the one before it three times; its number of nodes."""
    gamma = scan("gamma", 4)
    x: Node = scan("x", "n", 4)
    for _ in range(layers):
        x = LayerNorm(Zip(Zip(Map(x, "tanh"), x, "add"), x, "add"), gamma, gamma, 1e-5)
    return x, 4 * layers + 2


def test_walk_gives_each_node_once_children_first() -> None:
    root, count = _residuals(60)
    nodes = list(walk(root))
    assert len(nodes) == len({id(n) for n in nodes}) == count
    place = {id(n): i for i, n in enumerate(nodes)}
    assert all(place[id(c)] < place[id(n)] for n in nodes for c in n.children)
    assert nodes[-1] is root


def test_uses_counts_every_read() -> None:
    root, _ = _residuals(3)
    counted = uses(root)
    nodes = {n.label(): n for n in walk(root)}
    gamma, x = (next(n for n in walk(root) if n.schema.name == name) for name in ("gamma", "x"))
    assert counted[id(gamma)] == 6
    assert counted[id(x)] == 3
    assert counted[id(root)] == 0
    assert len(nodes) > 3


def test_rewrite_keeps_what_is_shared_and_what_is_unchanged() -> None:
    root, count = _residuals(60)
    assert rewrite(root, lambda _, node: node) is root
    seen = []

    def exchange(original: Node, node: Node) -> Node:
        seen.append(original)
        return Map(node.child, "relu") if isinstance(node, Map) else node

    changed = rewrite(root, exchange)
    assert [id(n) for n in seen] == [id(n) for n in walk(root)]
    nodes = list(walk(changed))
    assert len(nodes) == count
    assert {n.fn for n in nodes if isinstance(n, Map)} == {"relu"}
    assert {n.fn for n in walk(root) if isinstance(n, Map)} == {"tanh"}  # the old plan is as it was


def test_sixty_layers_take_no_longer_than_sixty_times_one() -> None:
    # A walk along every path would visit 3^60 nodes and never end; this returns at once.
    root, count = _residuals(60)
    assert len(list(walk(optimize(root, RULES)))) == count + 2  # both scans read as one block
    assert len(list(walk(optimize(root, NEEDED)))) == count
    assert str(root.schema) == "n×4 float32"
    assert explain(root).count("\n") == count - 3  # x and gamma are named where they are read
    assert len(plan_to_json(root)) < 200 * count


def test_schemas_are_computed_once_per_node(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    check = TensorSchema.__post_init__

    def count(self: TensorSchema) -> None:
        made.append(self.name)
        check(self)

    monkeypatch.setattr(TensorSchema, "__post_init__", count)
    root, nodes = _residuals(60)
    for node in walk(root):
        assert node.schema is node.schema
    assert len(made) <= 2 * nodes


def test_a_deep_encoder_is_built_and_optimised_in_linear_time() -> None:
    def seconds(layers: int) -> float:
        started = thread_time()
        encoder = bert_encoder([3], num_hidden_layers=layers, hidden_size=2, intermediate_size=2)
        optimize(encoder.plan)
        return thread_time() - started

    seconds(1)  # imports
    assert seconds(48) < 60 * max(seconds(4), 1e-3)


def test_labels_and_children() -> None:
    node = Matmul(scan("a", 2, 3), scan("b", 4, 3), True)
    assert [c.schema.name for c in node.children] == ["a", "b"]
    assert node.parameters == {"transpose_right": True}
    assert repr(node) == "<Matmul(transpose_right=True) -> 2×4 float32>"
    assert scan("a", 2, 3).label() == "Scan(a: 2×3 float32)"
    with pytest.raises(AttributeError):
        node.left = scan("c", 2, 3)  # type: ignore[misc]


def test_map_children_reaches_nodes_in_tuples() -> None:
    a, b = scan("a", 1, 3), scan("b", 2, 3)
    node = ConcatRows((a, b))
    assert node.children == (a, b)
    assert node.map_children(lambda child: child) is node
    longer = scan("c", 5, 3)
    changed = node.map_children(lambda child: longer if child is a else child)
    assert changed.children == (longer, b)
    assert changed.schema.shape == (7, 3)


def test_equal_looking_nodes_are_not_equal() -> None:
    assert scan("a", 2) != scan("a", 2)
