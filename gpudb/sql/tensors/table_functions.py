"""Functions in FROM: steps over whole tensors, which change keys, blocks or extents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.plan.node import Node
from gpudb.plan.reduce import Reduce, RowSoftmax, SegmentAggregate
from gpudb.plan.reshape import Broadcast, Concat, MergeAxes, Slice, SplitAxis, Transpose
from gpudb.plan.tensor import Gather, LayerNorm, Reblock
from gpudb.sql.connection import Parameters
from gpudb.sql.tensors.functions import arguments, function_name
from gpudb.sql.tensors.relation import NotTaken, Relation, computed, merged
from gpudb.sql.tensors.values import number, text, whole, wholes

Read = Callable[[exp.Expr, Parameters], Any]

_SIGNATURES: Mapping[str, tuple[str, Callable[..., Node], Sequence[Read | None]]] = {
    "softmax": ("tensor", RowSoftmax, [None]),
    "layer_norm": ("tensor, gamma, beta, eps", LayerNorm, [None, None, None, number]),
    "gather": ("tensor, rows", Gather, [None, None]),
    "reduce": ("tensor, axis, function", Reduce, [None, whole, text]),
    "segment": (
        "tensor, segment numbers, count, function",
        SegmentAggregate,
        [None, None, whole, text],
    ),
    "slice": ("tensor, [starts], [stops]", Slice, [None, wholes, wholes]),
    "broadcast": ("tensor, [shape], [block]", Broadcast, [None, wholes, wholes]),
    "split_axis": ("tensor, axis, inner extent", SplitAxis, [None, whole, whole]),
    "merge_axes": ("tensor, axis", MergeAxes, [None, whole]),
}
"""Name -> its arguments in words, the node, and what reads each argument; None for a tensor."""

_USE = {
    "transpose": "write transpose(tensor, axis, axis, …)",
    "reblock": "write reblock(tensor, extent, extent, …)",
    "concat": "write concat(tensor, tensor, …, axis)",
}
"""Functions of any number of arguments."""


def is_table_function(node: object) -> bool:
    """True for a step over whole tensors."""
    return isinstance(node, exp.Func) and function_name(node) in (*_SIGNATURES, *_USE)


def call(node: exp.Expr, bind: Callable[[exp.Expr], Relation], parameters: Parameters) -> Relation:
    """The relation that a function in FROM makes; its key columns are i0, i1, ….

    Parameters
    ----------
    node
        The call.
    bind
        Finds the tensor that an argument stands for.
    parameters
        Values of the statement's parameters.
    """
    if not is_table_function(node):
        raise NotTaken(f"{node.sql('duckdb')} is no function over tensors")
    name, given = function_name(node), arguments(node)
    if name in _SIGNATURES:
        return _of_signature(node, name, given, bind, parameters)
    if len(given) < 2:
        raise SqlError(f"{node.sql('duckdb')}: found {len(given)} arguments; {_USE[name]}")
    if name == "concat":
        relations = [bind(part) for part in given[:-1]]
        plan: Node = Concat(tuple(r.result for r in relations), whole(given[-1], parameters))
        return computed(plan, merged(*relations))
    relation = bind(given[0])
    numbers = tuple(whole(part, parameters) for part in given[1:])
    plan = (Transpose if name == "transpose" else Reblock)(relation.result, numbers)
    return computed(plan, relation.sources)


def _of_signature(
    node: exp.Expr,
    name: str,
    given: list[exp.Expr],
    bind: Callable[[exp.Expr], Relation],
    parameters: Parameters,
) -> Relation:
    signature, make, reads = _SIGNATURES[name]
    if len(given) != len(reads):
        raise SqlError(
            f"{node.sql('duckdb')}: found {len(given)} arguments; write {name}({signature})"
        )
    relations: list[Relation] = []
    values: list[Any] = []
    for part, read in zip(given, reads, strict=True):
        if read is None:
            relations.append(bind(part))
            values.append(relations[-1].result)
        else:
            values.append(read(part, parameters))
    return computed(make(*values), merged(*relations))
