"""Functions for compiled ones to call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = {"error_model": "numpy", "_nrt": False}
"""Arithmetic is as written, nothing is reordered: results do not depend on who calls. Without
numba's runtime nothing owns memory: arrays are views of what others own."""


def part(function: F) -> F:
    """A function for compiled ones to call; it becomes part of them."""
    return cast(F, numba.njit(**OPTIONS)(function))


@part
def lacking(*arguments: Any) -> bool:
    """For what the processor lacks instructions for: no code is made, and nobody asks for it."""
    return True
