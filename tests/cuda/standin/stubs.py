"""What the stubs of rmm and pylibcudf say, where these are installed (without libcudf is enough).

Neither can be imported on a machine without their C++ libraries, but both carry ``.pyi`` files.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from pathlib import Path

Definition = ast.FunctionDef | ast.ClassDef


def is_installed(package: str) -> bool:
    """True where there are stubs to compare with."""
    return _folder(package) is not None


def has(path: str) -> bool:
    """True where the package has this name; True also where it is not installed."""
    return not is_installed(path.partition(".")[0]) or _resolved(path) is not None


@cache
def signature(path: str) -> inspect.Signature | None:
    """How a function or a class is called, without ``self``. None where that is not known."""
    found = _resolved(path)
    if isinstance(found, ast.ClassDef):
        found = next((d for d in found.body if _is_named(d, "__init__")), None)
    return _signature(found.args) if isinstance(found, ast.FunctionDef) else None


@cache
def _folder(package: str) -> Path | None:
    folders = (Path(entry) / package for entry in sys.path)
    return next((f for f in folders if (f / "py.typed").is_file()), None)


@cache
def _resolved(path: str) -> ast.AST | None:
    """What a name stands for: followed through modules, imports and classes."""
    package, *names = path.split(".")
    module = package
    for i, name in enumerate(names):
        if _tree(f"{module}.{name}"):
            module = f"{module}.{name}"
            continue
        return _in_class(_in_module(module, name), names[i + 1 :])
    return _tree(module)


def _in_class(found: ast.AST | None, names: list[str]) -> ast.AST | None:
    for name in names:
        body = found.body if isinstance(found, ast.ClassDef) else []
        bases = found.bases if isinstance(found, ast.ClassDef) else []
        found = next((d for d in reversed(body) if _is_named(d, name)), None)  # last overload
        if found is None and bases and not _is_enum(bases[0]):
            return bases[0]  # inherited: nothing more is known of it
    return found


def _is_enum(base: ast.expr) -> bool:
    return isinstance(base, ast.Name) and base.id == "IntEnum"


def _in_module(module: str, name: str) -> ast.AST | None:
    tree = _tree(module)
    for node in tree.body if tree else []:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _resolved(f"{_imported(module, node)}.{alias.name}") or node
        elif _is_named(node, name):
            return node
    return None


def _imported(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    file = _file(module)
    is_package = file is not None and file.stem == "__init__"
    parts = module.split(".")
    parent = parts[: len(parts) - node.level + is_package]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _is_named(node: ast.AST, name: str) -> bool:
    if isinstance(node, Definition):
        return node.name == name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(t, ast.Name) and t.id == name for t in targets)


@cache
def _tree(module: str) -> ast.Module | None:
    file = _file(module)
    if file is None:
        return None
    text = re.sub(r"(def \w+)\[[^\]]*\]\(", r"\1(", file.read_text())  # Python 3.12's generics
    return ast.parse(text)


def _file(module: str) -> Path | None:
    package, *names = module.split(".")
    folder = _folder(package)
    if folder is None:
        return None
    place = folder.joinpath(*names)
    candidates = (place / "__init__.pyi", place / "__init__.py", place.with_suffix(".pyi"))
    return next((f for f in (*candidates, place.with_suffix(".py")) if f.is_file()), None)


def _signature(args: ast.arguments) -> inspect.Signature:
    kinds = inspect.Parameter
    positional = [*args.posonlyargs, *args.args]
    required = len(positional) - len(args.defaults)
    parameters = [
        kinds(a.arg, kinds.POSITIONAL_OR_KEYWORD, default=kinds.empty if i < required else None)
        for i, a in enumerate(positional)
        if a.arg not in ("self", "cls")
    ]
    if args.vararg:
        parameters.append(kinds(args.vararg.arg, kinds.VAR_POSITIONAL))
    for a, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        value = kinds.empty if default is None else None
        parameters.append(kinds(a.arg, kinds.KEYWORD_ONLY, default=value))
    if args.kwarg:
        parameters.append(kinds(args.kwarg.arg, kinds.VAR_KEYWORD))
    return inspect.Signature(parameters)
