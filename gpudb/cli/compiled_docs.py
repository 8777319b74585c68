"""Documentation of compiled modules, which have no source file to parse."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

from gpudb.cli.doc_entry import Entry, tidy

COMPILED = {
    "builtins": "builtins",
    "_bisect": "bisect",
    "_bz2": "bz2",
    "_codecs": "codecs",
    "_collections": "collections",
    "_contextvars": "contextvars",
    "_csv": "csv",
    "_datetime": "datetime",
    "_functools": "functools",
    "_heapq": "heapq",
    "_io": "io",
    "_locale": "locale",
    "_lzma": "lzma",
    "_operator": "operator",
    "_queue": "queue",
    "_random": "random",
    "_signal": "signal",
    "_socket": "socket",
    "_stat": "stat",
    "_struct": "struct",
    "_tracemalloc": "tracemalloc",
    "_warnings": "warnings",
    "_weakref": "weakref",
    "array": "array",
    "atexit": "atexit",
    "binascii": "binascii",
    "cmath": "cmath",
    "errno": "errno",
    "faulthandler": "faulthandler",
    "fcntl": "fcntl",
    "gc": "gc",
    "grp": "grp",
    "itertools": "itertools",
    "marshal": "marshal",
    "math": "math",
    "mmap": "mmap",
    "nt": "os",
    "posix": "os",
    "pwd": "pwd",
    "resource": "resource",
    "select": "select",
    "sys": "sys",
    "syslog": "syslog",
    "termios": "termios",
    "time": "time",
    "unicodedata": "unicodedata",
    "zlib": "zlib",
}
"""Compiled module -> the public module that documents it. Importing them does nothing else."""


def compiled_entries() -> list[Entry]:
    """Entries of every module of :data:`COMPILED` that this Python has."""
    found: list[Entry] = []
    for name, public in COMPILED.items():
        try:
            module = importlib.import_module(name)
        except ImportError:  # another platform's, or left out of this build
            continue
        found += _module_entries(module, public)
    return found


def _module_entries(module: ModuleType, public: str) -> Iterator[Entry]:
    if not module.__name__.startswith("_") and module.__name__ == public:
        yield Entry(public, public, "module", "", tidy(module.__doc__))
    for name, value in sorted(vars(module).items()):
        if name.startswith("_"):
            continue
        if inspect.isclass(value):
            yield from _class_entries(value, public, f"{public}.{name}")
        elif inspect.isbuiltin(value):
            yield _entry(value, public, f"{public}.{name}", "function")


def _class_entries(value: type, public: str, name: str) -> Iterator[Entry]:
    yield _entry(value, public, name, "class")
    if issubclass(value, BaseException):
        return  # their methods are all the same
    for member_name, member in sorted(vars(value).items()):
        if member_name.startswith("_"):
            continue
        if inspect.isgetsetdescriptor(member):
            yield Entry(public, f"{name}.{member_name}", "property", "", tidy(member.__doc__))
        elif callable(getattr(value, member_name)):
            method = getattr(value, member_name)
            yield _entry(method, public, f"{name}.{member_name}", "method")


def _entry(value: object, public: str, name: str, kind: str) -> Entry:
    doc = getattr(value, "__doc__", None)
    text = tidy(doc if isinstance(doc, str) else "")
    signature = _signature(value)
    first, _, rest = text.partition("\n\n")
    opening = f"{name.rpartition('.')[2]}("
    if rest and first.startswith(opening):  # older C code writes the signature in the text
        signature = signature or first.partition("\n")[0].removeprefix(opening[:-1])
        text = rest.strip()
    return Entry(public, name, kind, signature, text)


def _signature(value: object) -> str:
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]
    except (AttributeError, NameError, SyntaxError, TypeError, ValueError):  # C functions tell few
        return ""
    names = list(signature.parameters)
    if names and names[0] in ("self", "cls", "type"):
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return tidy(str(signature))
