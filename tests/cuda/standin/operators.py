"""``x + y`` and the like, for arrays on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cuda.standin.array import ndarray
from tests.cuda.standin.functions import UFUNCS

ARITHMETIC = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "pow": "power",
}
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}


def attach() -> None:
    """Give the class its operators: they need the functions, which need the class."""
    for python, name in {**ARITHMETIC, **COMPARISONS}.items():
        setattr(ndarray, f"__{python}__", _operator(name))
    for python, name in ARITHMETIC.items():
        setattr(ndarray, f"__r{python}__", _reflected(name))
        setattr(ndarray, f"__i{python}__", _in_place(name))
    for python, name in {"neg": "negative", "abs": "absolute"}.items():
        setattr(ndarray, f"__{python}__", _unary(name))
    setattr(ndarray, "__hash__", None)  # noqa: B010


def _operator(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: UFUNCS[name](self, other)


def _reflected(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: UFUNCS[name](other, self)


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: UFUNCS[name](self, other, out=self)


def _unary(name: str) -> Callable[[Any], Any]:
    return lambda self: UFUNCS[name](self)
