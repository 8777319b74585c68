"""What users hold: one class, its methods by theme."""

from __future__ import annotations

from gpudb.catalog import StoredTensor
from gpudb.plan.tensor import Scan
from gpudb.relation.algebra import Algebra
from gpudb.relation.arithmetic import Arithmetic
from gpudb.relation.engine import TensorEngine
from gpudb.relation.reductions import Reductions
from gpudb.relation.reshaping import Reshaping


class TensorRelation(Arithmetic, Algebra, Reshaping, Reductions):
    """A tensor, or an expression over tensors that nothing has computed yet.

    A relation of blocks: one integer key column ``i0``, ``i1``, … per axis beside the block. Axes
    may be counted from the end, as in NumPy.

    Examples
    --------
    >>> import gpudb, numpy as np
    >>> with gpudb.connect() as db:
    ...     x = db.create_tensor("x", np.ones((3, 4)))
    ...     (2 * x @ x.T + 1).collect()
    array([[9., 9., 9.],
           [9., 9., 9.],
           [9., 9., 9.]])
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<TensorRelation {self.plan.label()} -> {self.schema}>"


def scan(tensor: StoredTensor, name: str, engine: TensorEngine) -> TensorRelation:
    """A stored tensor under a name that is unique among all models."""
    return TensorRelation(Scan(tensor.schema.renamed(name)), {name: tensor}, engine)
