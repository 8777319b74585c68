"""The base of every logical node, and the two ways to go through a plan.

A plan is a directed acyclic graph: a residual uses its input twice, three projections share one.
Nodes are therefore compared by identity. Structural comparison goes through
:func:`gpudb.plan.serialize.fingerprint`, which looks at each shared node once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from gpudb.types import TensorSchema


# Without slots: a schema is kept once known. Asked for again through every path of a plan with
# residuals, it would take time exponential in the number of layers.
@dataclass(frozen=True, eq=False, repr=False)
class Node:
    """One step of a logical plan: immutable, printable, unaware of how it runs.

    A field that holds a node, an optional node or a tuple of nodes is a child; every other field
    is a parameter and must be plain data.
    """

    @cached_property
    def schema(self) -> TensorSchema:
        """What this step returns; kept, since a deep plan would be walked again and again."""
        raise NotImplementedError

    @cached_property
    def children(self) -> tuple[Node, ...]:
        """The nodes this one reads, in the order of its fields; kept as well."""
        found: list[Node] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Node):
                found.append(value)
            elif isinstance(value, tuple):
                found.extend(v for v in value if isinstance(v, Node))
        return tuple(found)

    @property
    def parameters(self) -> dict[str, Any]:
        """The fields that are not children."""
        return {
            f.name: value
            for f in fields(self)
            if not _holds_nodes(value := getattr(self, f.name)) and value is not None
        }

    def map_children(self, change: Callable[[Node], Node]) -> Node:
        """The same step over changed children; itself when no child changed."""
        changed: dict[str, Any] = {}
        for field in fields(self) if self.children else ():
            value = getattr(self, field.name)
            if isinstance(value, Node):
                new: Any = change(value)
                same = new is value
            elif _holds_nodes(value):
                new = tuple(change(v) for v in value)
                same = all(a is b for a, b in zip(new, value, strict=True))
            else:
                continue
            if not same:
                changed[field.name] = new
        return replace(self, **changed) if changed else self

    def label(self) -> str:
        """One line for EXPLAIN: name and parameters."""
        shown = ", ".join(f"{k}={v}" for k, v in self.parameters.items())
        return f"{type(self).__name__}({shown})"

    def __repr__(self) -> str:
        return f"<{self.label()} -> {self.schema}>"


def _holds_nodes(value: object) -> bool:
    if isinstance(value, Node):
        return True
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Node)


def walk(root: Node) -> Iterator[Node]:
    """Every node once, children before parents."""
    seen: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, children_done = stack.pop()
        if id(node) in seen:
            continue
        if children_done:
            seen.add(id(node))
            yield node
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.children))


def rewrite(root: Node, change: Callable[[Node, Node], Node]) -> Node:
    """Rebuild a plan bottom-up; what was shared stays shared.

    ``change(original, rebuilt)`` gets each node as it stood and as it stands over its rewritten
    children, and returns what takes its place.
    """
    done: dict[int, Node] = {}
    for node in walk(root):
        done[id(node)] = change(node, node.map_children(lambda child: done[id(child)]))
    return done[id(root)]


def uses(root: Node) -> Counter[int]:
    """How many times each node is read, by ``id``."""
    return Counter(id(child) for node in walk(root) for child in node.children)
