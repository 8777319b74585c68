"""How plans run, as far as a session may choose: ``Database.set`` and SQL's ``SET``."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from gpudb.errors import InputError

EXECUTIONS = ("auto", "fused", "relational")

_SHORT = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def precision_named(name: str) -> str:
    """A precision's name as gpudb writes it: ``bf16`` is ``bfloat16``."""
    return _SHORT.get(name, name)


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices of a session; none but ``precision`` changes a result by more than rounding."""

    execution: str = "auto"
    """``relational`` runs every step as joins and aggregates over blocks; ``fused`` reads what lies
    together as one block and does several steps in one kernel; ``auto`` takes what it estimates to
    be faster."""
    block_size: int = 128
    """Rows and columns of the blocks that an encoder's matrices are cut into when it runs
    relationally."""
    precision: str = "float32"
    """What models compute in, one of :data:`gpudb.backend.PRECISIONS` that the device has. Weights
    are kept once for each precision that was asked for. ``bf16``, ``fp16`` and ``fp32`` are
    understood."""
    profile: bool = False
    """Time every operator of a model by itself, as EXPLAIN ANALYZE does. On a GPU each is then
    waited for, and nothing is recorded and launched again as one graph."""

    def __post_init__(self) -> None:
        if not isinstance(self.precision, str):
            raise InputError(f"precision is {self.precision!r}; expected a name, like 'float32'")
        object.__setattr__(self, "precision", precision_named(self.precision))
        if self.execution not in EXECUTIONS:
            raise InputError(
                f"execution is {self.execution!r}; expected one of {', '.join(EXECUTIONS)}"
            )
        if type(self.block_size) is not int or self.block_size < 1:
            raise InputError(
                f"block_size is {self.block_size!r}; expected a whole number of at least 1"
            )
        if type(self.profile) is not bool:
            raise InputError(f"profile is {self.profile!r}; expected true or false")

    def changed(self, **changes: Any) -> Settings:
        """The settings with some of them changed.

        Raises
        ------
        InputError
            There is no such setting, or it cannot have that value.
        """
        known = [f.name for f in fields(self)]
        if unknown := sorted(changes.keys() - set(known)):
            raise InputError(f"no setting {', '.join(unknown)}; settings are: {', '.join(known)}")
        return replace(self, **changes)
