"""A physical plan in the order it runs, and how long each result lives."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields

from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.read_input import ReadInput
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True)
class Step:
    """One operator in its place."""

    op: PhysicalOp
    inputs: tuple[int, ...]
    """Numbers of the steps it reads."""
    constant: bool
    """Done when the plan is prepared: it arranges stored tensors only; or, in a plan that runs over
    inputs, reads none of them."""
    last_use: int
    """Number of the last step that needs the memory of this result."""
    frees: tuple[int, ...]
    """Numbers of the results that nobody needs after this step."""
    alike: int
    """Number of the first step that costs as much, whatever the sizes: layers repeat."""
    blocks: int | None = None
    """Blocks of the result, once keys are joined; None for a full grid."""

    def nbytes(self, sizes: Sizes) -> int:
        """Bytes of the blocks of the result that are there."""
        out = self.op.out.bind(sizes)
        return out.nbytes if self.blocks is None else self.blocks * out.block_nbytes


def order_steps(root: PhysicalOp) -> tuple[Step, ...]:
    """Every operator once, children first."""
    ops = _topological(root)
    number = {id(op): i for i, op in enumerate(ops)}
    inputs = [tuple(number[id(child)] for child in op.children) for op in ops]
    constant: list[bool] = []
    has_inputs = any(isinstance(op, ReadInput) for op in ops)
    for op, read in zip(ops, inputs, strict=True):
        computed = has_inputs and bool(read)
        constant.append((op.is_layout or computed) and all(constant[i] for i in read))
    last_use = _last_uses(ops, inputs)
    frees: list[list[int]] = [[] for _ in ops]
    for i, last in enumerate(last_use[:-1]):
        if last < len(ops):
            frees[last].append(i)
    first: dict[Hashable, int] = {}
    alike = [first.setdefault(_likeness(op), i) for i, op in enumerate(ops)]
    return tuple(
        Step(op, inputs[i], constant[i], last_use[i], tuple(frees[i]), alike[i])
        for i, op in enumerate(ops)
    )


def _likeness(op: PhysicalOp) -> Hashable:
    """Equal for operators that differ in the names of tensors only."""
    own = [getattr(op, f.name) for f in fields(op) if f.name not in ("children", "out")]
    outs = [(x.out.shape, x.out.block, x.out.dtype) for x in (op, *op.children)]
    key = (type(op), *own, *outs)
    try:
        hash(key)
    except TypeError:  # a parameter that cannot be compared
        return id(op)
    return key


def _topological(root: PhysicalOp) -> list[PhysicalOp]:
    ops: list[PhysicalOp] = []
    seen: set[int] = set()
    stack: list[tuple[PhysicalOp, bool]] = [(root, False)]
    while stack:
        op, children_done = stack.pop()
        if id(op) in seen:
            continue
        if children_done:
            seen.add(id(op))
            ops.append(op)
        else:
            stack.append((op, True))
            stack.extend((child, False) for child in reversed(op.children))
    return ops


def _last_uses(ops: Sequence[PhysicalOp], inputs: Sequence[tuple[int, ...]]) -> list[int]:
    last = list(range(len(ops)))
    for number, read in enumerate(inputs):
        for i in read:
            last[i] = number
    last[-1] = len(ops)  # the result outlives the plan
    for number in range(len(ops) - 1, -1, -1):
        if ops[number].is_view:  # a view keeps what it looks into
            source = inputs[number][0]
            last[source] = max(last[source], last[number])
    return last
