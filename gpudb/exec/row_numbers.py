"""Numbers that point at rows: values, known only when a plan runs, so checked then."""

from __future__ import annotations

import numpy as np

from gpudb.errors import InputError
from gpudb.types import HostArray, TensorSchema


def checked_numbers(blocks: HostArray, schema: TensorSchema, count: int, what: str) -> HostArray:
    """The numbers of a column ``(n,)``, padding dropped, each from 0 to ``count - 1``.

    Parameters
    ----------
    blocks
        All blocks ``(m, b)`` of the column, on the host.
    schema
        Of the column.
    count
        How many of ``what`` there are.
    what
        What the numbers point at, for the message.

    Raises
    ------
    InputError
        A number points outside; the message names the first.
    """
    extent = schema.shape[0]
    flat = blocks.reshape(-1)
    numbers = flat if isinstance(extent, str) else flat[:extent]
    bad = np.flatnonzero((numbers < 0) | (numbers >= count))
    if len(bad):
        first = int(bad[0])
        expected = f"expected 0 to {count - 1}" if count else "no number is right"
        raise InputError(
            f"{schema.name}: {int(numbers[first])} at position {first} is not one of the {count} "
            f"{what}; {expected}"
        )
    return numbers
