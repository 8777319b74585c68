"""Pickles of tensors, read without running them.

A pickle is a program for a small stack machine, and two of its instructions name a Python function
and call it. This machine knows the instructions that describe data; names are looked up in a table
of what tensors are made of, and every other name is refused before anything is done with it. Not a
single function named by a file is ever called. Instructions: see ``pickletools`` of the standard
library.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gpudb.errors import UnsupportedError
from gpudb.models.formats.checked import broken, short

SAVE_ALONE = "Load it where it was made and save tensors alone: torch.save(model.state_dict(), ...)"

Build = Callable[[tuple[Any, ...]], Any]
"""Makes a value of the arguments that a pickle gives to a name of the table; ValueError if they are
not as they should be."""

_DAMAGE = (ValueError, IndexError, KeyError, TypeError, OverflowError, DeprecationWarning)
"""What reading a damaged pickle raises."""

Names = Mapping[str, Build | str]
"""``"module.name"`` -> what it makes, or the dtype of the storages it stands for."""


@dataclass(frozen=True, slots=True)
class Global:
    """A name of the table, on the stack."""

    name: str


_MARK = object()

_PUSHED = frozenset(
    (
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
        *("BINBYTES", "SHORT_BINBYTES"),
    )
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: Mapping[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def unpickle(
    stream: BinaryIO, file: Path, names: Names, persistent: Callable[[Any], Any] | None = None
) -> Any:
    """The value of the pickle that starts at the position of ``stream``, which moves behind it.

    Parameters
    ----------
    stream
        Bytes in memory: a pickle may claim strings longer than any memory.
    file
        For messages.
    names
        What the pickle may name.
    persistent
        Makes a value of the id of one that lies outside the pickle; ValueError if it cannot.

    Raises
    ------
    CheckpointError
        The pickle is cut short or damaged.
    UnsupportedError
        It names what is not in ``names``, or holds what no pickle of tensors needs.
    """
    machine = _Machine(file, names, persistent)
    try:
        # An escape in a name that means nothing is a warning of Python's; nobody writes one.
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            for instruction, argument, _ in pickletools.genops(stream):
                if instruction.name == "STOP":
                    return machine.pop()
                machine.step(instruction.name, argument)
    except _DAMAGE as error:
        raise broken(file, f"a damaged pickle ({error})", "one that ends as it began") from error
    raise broken(file, "a pickle without an end", "one that was written to its end")


class _Machine:
    def __init__(self, file: Path, names: Names, persistent: Callable[[Any], Any] | None) -> None:
        self.file = file
        self.names = names
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value is expected")
        return value

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PUSHED:
            stack.append(_CONSTANTS.get(name, argument))
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            stack.append(tuple([self.pop() for _ in range(_TUPLES[name])][::-1]))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            stack.append(tuple(self.pop_to_mark()))
        elif name in ("APPEND", "APPENDS"):
            values = [self.pop()] if name == "APPEND" else self.pop_to_mark()
            _of_kind(stack[-1], list).extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = [self.pop(), self.pop()][::-1] if name == "SETITEM" else self.pop_to_mark()
            set_items(_of_kind(stack[-1], dict), values)
        elif name == "GLOBAL":
            stack.append(self.find(".".join(argument.split(" ", 1))))
        elif name == "STACK_GLOBAL":
            attribute, module = _of_kind(self.pop(), str), _of_kind(self.pop(), str)
            stack.append(self.find(f"{module}.{attribute}"))
        elif name == "REDUCE":
            arguments, function = _of_kind(self.pop(), tuple), _of_kind(self.pop(), Global)
            stack.append(self.build(function.name, arguments))
        elif name == "BUILD":
            # Attributes of a dict, such as the versions of modules in a state dict: not weights.
            self.pop()
            _of_kind(stack[-1], dict)
        elif name == "BINPERSID":
            stack.append(self.outside(self.pop()))
        elif name not in ("PROTO", "FRAME"):
            raise UnsupportedError(
                f"{self.file}: found the pickle instruction {name}, which no tensor needs; it was "
                f"not carried out. {SAVE_ALONE}"
            )

    def pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def find(self, name: str) -> Global:
        if name not in self.names:
            raise UnsupportedError(
                f"{self.file}: found a pickle of {name!r}, which was not loaded: a pickle can run "
                f"any code, and gpudb reads tensors only. {SAVE_ALONE}"
            )
        return Global(name)

    def outside(self, key: Any) -> Any:
        if self.persistent is None:
            raise ValueError("a reference to a value outside the pickle")
        return self.persistent(key)

    def build(self, name: str, arguments: tuple[Any, ...]) -> Any:
        build = self.names[name]
        if isinstance(build, str):
            raise ValueError(f"{name} is called, which only stands for a dtype")
        return build(arguments)


def set_items(target: dict[Any, Any], values: list[Any]) -> None:
    """Keys and values in turn into ``target``."""
    if len(values) % 2:
        raise ValueError("a key without a value")
    for key, value in zip(values[::2], values[1::2], strict=True):
        # Other keys are never needed, and hashing a tuple of tuples can take for ever.
        if not isinstance(key, str | int | float | None):
            raise ValueError(f"a {type(key).__name__} as a key")
        if key in target:
            raise ValueError(f"the key {short(key)} stands there twice")
        target[key] = value


def _of_kind(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"a {type(value).__name__} in the place of a {kind.__name__}")
    return value
