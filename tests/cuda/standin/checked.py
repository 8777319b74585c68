"""Modules and classes that have only what the real ones have, and are called as those are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

from tests.cuda.standin import real

C = TypeVar("C", bound=type)


def like(path: str) -> Callable[[C], C]:
    """Decorate a class: its public names exist in the real one, arguments fit the real methods."""

    def decorate(cls: C) -> C:
        for name, value in list(vars(cls).items()):
            if name == "__init__":
                cls.__init__ = _method(path, value)
            elif not name.startswith("_"):
                if not real.has(f"{path}.{name}"):
                    raise AttributeError(f"{path} has no {name}, the stand-in must not either")
                if inspect.isfunction(value):
                    setattr(cls, name, _method(f"{path}.{name}", value))

        def absent(self: Any, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            raise real.missing(f"{path}.{name}")

        cls.__getattr__ = absent
        return cls

    return decorate


class Module(ModuleType):
    """A module of the stand-in.

    Parameters
    ----------
    path
        Of the real module.
    names
        Functions are checked at every call; classes and values are as they are.
    """

    def __init__(self, path: str, names: Mapping[str, Any]) -> None:
        super().__init__(path)
        self.__spec__ = ModuleSpec(path, None)  # what looks whether it is installed asks for that
        self.__path__: list[str] = []  # a package: `import cupy.cuda.cublas` looks for it
        for name, value in names.items():
            if not isinstance(value, ModuleType) and not real.has(f"{path}.{name}"):
                raise AttributeError(f"{path} has no {name}, the stand-in must not either")
            setattr(self, name, _function(f"{path}.{name}", value))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise real.missing(f"{self.__name__}.{name}")


def _function(path: str, value: Any) -> Any:
    if not inspect.isfunction(value):
        return value

    @functools.wraps(value)
    def call(*args: Any, **kwargs: Any) -> Any:
        real.check_call(path, args, kwargs)
        return value(*args, **kwargs)

    return call


def _method(path: str, value: Any) -> Any:
    @functools.wraps(value)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        real.check_call(path, args, kwargs)
        return value(self, *args, **kwargs)

    return call
