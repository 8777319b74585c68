"""Plans as text: one numbered line per step, in the order they run.

A plan is a graph, not a tree, so steps are referred to by number. Relations that are only read
(scans, and panels read side by side) are named where they are used.
"""

from __future__ import annotations

from dataclasses import fields

from gpudb.keys import describe_tests
from gpudb.plan.node import Node, walk
from gpudb.plan.tensor import Coalesce, ConcatRows, Input, Reblock, Scan
from gpudb.types import TensorSchema


def explain(root: Node) -> str:
    """Text of a logical plan."""
    numbers: dict[int, int] = {}
    lines = []
    for node in walk(root):
        if is_read_only(node) and node is not root:
            continue
        numbers[id(node)] = len(numbers) + 1
        number = f"#{numbers[id(node)]}"
        lines.append(f"{number:>4}  {_step(node, numbers)}  -> {node.schema}")
    return "\n".join(lines)


def is_read_only(node: Node) -> bool:
    """True for a node that only reads stored tensors or inputs, whatever their cut."""
    match node:
        case Scan() | Input():
            return True
        case Coalesce() | ConcatRows() | Reblock():
            return all(is_read_only(child) for child in node.children)
    return False


def _step(node: Node, numbers: dict[int, int]) -> str:
    parts = []
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Node):
            parts.append(f"{field.name}={_name(value, numbers)}")
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            parts.append(f"{field.name}=[{', '.join(_name(v, numbers) for v in value)}]")
        elif field.name == "tests":
            parts += [f"where {describe_tests(value)}"] if value else []
        elif value is not None and value is not False and not isinstance(node, Scan | Input):
            parts.append(f"{field.name}={value}")
    if isinstance(node, Scan | Input):
        return node.label()
    return f"{type(node).__name__}({', '.join(parts)})"


def _name(node: Node, numbers: dict[int, int]) -> str:
    if id(node) in numbers:
        return f"#{numbers[id(node)]}"
    match node:
        case Scan(tensor=tensor, tests=tests) if tests:
            return f"{tensor.name}[{describe_tests(tests)}]"
        case Scan(tensor=tensor, scales=TensorSchema()):
            return f"{tensor.name} * scales"
        case Scan() | Input():
            return node.tensor.name
        case Coalesce():
            return f"panels({_name(node.child, numbers)})"
        case ConcatRows():
            return " ∪ ".join(_name(part, numbers) for part in node.parts)
    return f"reblock({', '.join(_name(child, numbers) for child in node.children)})"
