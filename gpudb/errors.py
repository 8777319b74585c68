"""Every error gpudb raises on purpose.

A message names the object, what was found, what was expected, and the next thing to try. Catch
:class:`GpudbError` to catch them all.
"""


class GpudbError(Exception):
    """Base class of every deliberate error."""


class InputError(GpudbError):
    """An argument has the wrong type, shape or value."""


class RowError(InputError):
    """A row of a column cannot be used.

    Parameters
    ----------
    row
        Its place in the column.
    problem
        What was found, expected, and the next step.
    """

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(f"row {row}: {problem}")
        self.row = row
        self.problem = problem


class SchemaError(GpudbError):
    """Shapes, blocks or dtypes of two tensors do not fit together."""


class CatalogError(GpudbError):
    """A model, tensor or table is missing, already there, or the catalog cannot be used."""


class StorageError(GpudbError):
    """A page is missing, damaged or cannot be written."""


class CheckpointError(GpudbError):
    """A model folder or one of its files cannot be imported."""


class SqlError(GpudbError):
    """A statement cannot be parsed, bound or run."""


class UnsupportedError(GpudbError):
    """Valid, but gpudb does not do it (yet); the message says what to do instead."""


class DeviceError(GpudbError):
    """The device asked for is not there or not usable."""


class MemoryBudgetError(GpudbError):
    """A plan needs more memory than ``memory_limit``. Raised before anything runs."""
