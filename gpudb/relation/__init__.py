"""The Python door: expressions over tensors that remember their plan.

Each method adds the one node that its name says; what is faster is left to the rules. What needs
more than one node (NumPy's broadcasting, ``@`` of any rank, an integer in ``[]``) says so.
"""

from __future__ import annotations

from gpudb.relation.engine import TensorEngine
from gpudb.relation.stored_tensors import StoredTensors
from gpudb.relation.tensor_relation import TensorRelation

__all__ = ["StoredTensors", "TensorEngine", "TensorRelation"]
