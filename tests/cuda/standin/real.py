"""What the installed CuPy (or rmm, or pylibcudf) has, and how its functions are called.

Functions written in Cython have no signature, but say it in the first line of their text.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp
import cupy.cuda.compiler
import cupy_backends

from tests.cuda.standin import stubs
from tests.cuda.standin.errors import NotInStandin

CUBLAS = "cupy.cuda.cublas"
"""Cannot be imported where libcublas is missing; its names are read from the binary."""

UFUNC = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
            for name in ("out", "casting", "dtype")
        ),
    ]
)


def missing(path: str) -> Exception:
    """What to raise for a name that the stand-in has not: AttributeError where CuPy has it not."""
    owner, _, name = path.rpartition(".")
    if has(path):
        return NotInStandin(f"{path} is not in the stand-in")
    return AttributeError(f"{owner!r} has no attribute {name!r}")


@cache
def has(path: str) -> bool:
    """True where the installed package has this name, given from ``cupy`` or ``rmm`` on."""
    if not path.startswith("cupy."):
        return stubs.has(path)
    if path.startswith(f"{CUBLAS}."):
        return path.rpartition(".")[2] in cublas_names()
    try:
        find(path)
    except AttributeError:
        return False
    return True


def find(path: str) -> Any:
    """The object of that name in the installed CuPy."""
    first, *names = path.split(".")
    found: Any = {"cupy": cp}[first]
    for name in names:
        found = getattr(found, name)
    return found


def check_call(path: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """TypeError where the real function would not take these arguments."""
    known = signature(path)
    if known is None:
        return
    try:
        known.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{path}(): {error}") from None


@cache
def signature(path: str) -> inspect.Signature | None:
    """How a function is called; without ``self``. None where nothing says it."""
    if not path.startswith("cupy."):
        return stubs.signature(path)
    if path.startswith(f"{CUBLAS}."):
        return parsed(cublas_names().get(path.rpartition(".")[2], ""))
    found = find(path)
    if isinstance(found, cp.ufunc):
        return UFUNC
    try:
        known = inspect.signature(found)
    except (TypeError, ValueError):
        return parsed((found.__doc__ or "").partition("\n")[0])
    return without_self(known)


def parsed(line: str) -> inspect.Signature | None:
    """``name(int a, b=1) -> int`` as a signature: types are C's, so all but names is dropped."""
    matched = re.fullmatch(r"[\w.]+\((.*)\)(?: -> .*)?", line.strip())
    if not matched:
        return None
    plain = [re.sub(r"^.*?(\*{0,2}\w+(=.*)?|\*)$", r"\1", p.strip()) for p in matched[1].split(",")]
    names = [re.sub(r"=.*", "=None", part) for part in plain if part]
    code = compile(f"lambda {', '.join(names)}: None", "<signature>", "eval")
    return without_self(inspect.signature(eval(code)))


def without_self(known: inspect.Signature) -> inspect.Signature:
    kept = [p for p in known.parameters.values() if p.name != "self"]
    return known.replace(parameters=kept)


@cache
def cublas_names() -> dict[str, str]:
    """Names in the compiled cuBLAS wrapper -> first line of their text, where there is one."""
    (library,) = Path(cupy_backends.__file__).parent.glob("cuda/libs/cublas.*.so")
    strings = re.findall(rb"[\x20-\x7e]{4,}", library.read_bytes())
    names: dict[str, str] = {}
    for string in map(bytes.decode, strings):
        if match := re.fullmatch(r"(\w+)\(.*\)(?: -> \w+)?", string):
            names[match[1]] = string
        elif re.fullmatch(r"CUBLAS_\w+", string):
            names[string] = ""
    return names


@contextmanager
def visible() -> Iterator[None]:
    """While it lasts, ``import cupy`` gives the installed one: its own functions import it late."""
    hidden = {name: sys.modules[name] for name in _MODULES if name in sys.modules}
    sys.modules.update(_MODULES)
    try:
        yield
    finally:
        for name in _MODULES:
            del sys.modules[name]
        sys.modules.update(hidden)


@cache
def has_nvrtc() -> bool:
    """True where kernels can be compiled."""
    with visible():
        try:
            return bool(nvrtc.getVersion())
        except Exception:  # the library is looked for in a different way in every version
            return False


def driver_error(text: str) -> Exception:
    """A CUDADriverError; its own constructor asks the driver, which is not there."""
    kind = cp.cuda.driver.CUDADriverError
    error: Exception = kind.__new__(kind, text)
    return error


CUDARuntimeError = cp.cuda.runtime.CUDARuntimeError
OutOfMemoryError = cp.cuda.memory.OutOfMemoryError
CompileException = cupy.cuda.compiler.CompileException
runtime = cp.cuda.runtime
nvrtc = importlib.import_module("cupy_backends.cuda.libs.nvrtc")
_MODULES = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "cupy"}
