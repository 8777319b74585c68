"""The documentation of Python's standard library as a table: the demo's data.

Source files are parsed, never imported, so reading them runs nothing. Compiled modules have no
source; a short list of harmless ones is imported and inspected instead.
"""

from __future__ import annotations

import ast
import os
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpudb.cli.compiled_docs import compiled_entries
from gpudb.cli.doc_entry import Entry, tidy
from gpudb.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

SKIPPED_FOLDERS = frozenset(
    "test tests idlelib lib2to3 distutils turtledemo ensurepip encodings pydoc_data "  # noqa: SIM905
    "site-packages dist-packages lib-dynload __pycache__ __phello__".split()
)
PATH_MODULES = frozenset(("posixpath", "ntpath"))
OTHER_PATH_MODULES = PATH_MODULES - {os.path.__name__}
KNOWN_HOMES = {
    "_collections_abc": "collections.abc",
    "_pydatetime": "datetime",
    "_pydecimal": "decimal",
    "_pyio": "io",
}
"""Private source -> the public module that stands for it by other means than an import."""
HIDDEN_HOMES = frozenset(("genericpath",))
"""Modules that are public by name only; what they hold is documented where it is re-exported."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """What one source file defines, publishes and re-exports."""

    name: str
    doc: str
    definitions: dict[str, list[Entry]]  # top-level name -> itself, then its methods
    exports: frozenset[str] | None  # `__all__`, where it can be read without running the file
    imports: tuple[tuple[str, str], ...]  # (module, name or "*")

    def publishes(self, name: str) -> bool:
        """Whether ``from module import *`` would hand out ``name``."""
        return name in self.exports if self.exports is not None else not name.startswith("_")


def standard_library_table(folder: Path | None = None) -> pa.Table:
    """Documented public names of the standard library, ordered by module and name.

    Parameters
    ----------
    folder
        Where the standard library's source files lie; the running Python's own by default.

    Returns
    -------
    pyarrow.Table
        Text columns ``module, name, kind, signature, doc``. ``name`` is qualified, ``kind`` is
        module, function, class, method or property, ``signature`` is ``""`` where unknown.

    Raises
    ------
    InputError
        ``folder`` holds no documented module.
    """
    import pyarrow as pa

    entries = standard_library_entries(folder)
    if not entries:
        raise InputError(
            f"no documented Python module under {folder or stdlib_folder()}; "
            "expected the source files of the standard library. Install Python with its library."
        )
    columns = ("module", "name", "kind", "signature", "doc")
    return pa.table({c: pa.array([getattr(e, c) for e in entries], pa.string()) for c in columns})


def distinct_docs(count: int) -> list[str]:
    """Documentation texts, none twice, evenly from all modules: ``count``, or all there are."""
    docs = list(dict.fromkeys(standard_library_table().column("doc").to_pylist()))
    step = max(1, len(docs) // count)
    return docs[::step][:count]


def standard_library_entries(folder: Path | None = None) -> list[Entry]:
    """The rows of :func:`standard_library_table`; compiled modules only for the default folder."""
    root = stdlib_folder() if folder is None else folder
    sources = {s.name: s for s in _sources(root)}
    found = list(_public_entries(sources))
    if folder is None:
        found += compiled_entries()
    unique: dict[str, Entry] = {}
    for entry in found:  # the first wins: source text before compiled
        if entry.doc and entry.name not in unique:
            unique[entry.name] = entry
    return sorted(unique.values(), key=lambda e: (e.module, e.name))


def stdlib_folder() -> Path:
    """Where the running Python keeps its own source files."""
    return Path(tokenize.__file__).parent


def _sources(root: Path) -> Iterator[Source]:
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if SKIPPED_FOLDERS.intersection(parts[:-1]) or parts[0].startswith("config-"):
            continue
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts[-1] == "__main__" or ".".join(parts) in OTHER_PATH_MODULES:
            continue
        source = _read(path, ".".join(parts))
        if source is not None:
            yield source


def _read(path: Path, name: str) -> Source | None:
    """Parse one file; None where it is no valid Python of this version."""
    try:
        with tokenize.open(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in old files are not our concern
            tree = ast.parse(file.read())
    except (SyntaxError, UnicodeDecodeError, ValueError, OSError):
        return None
    public = "os.path" if name in PATH_MODULES else name
    body = list(_flat(tree.body))
    definitions: dict[str, list[Entry]] = {}
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            entries = list(_definition(public, node))
            known = definitions.get(node.name)
            if known is None or not known[0].doc:  # of platform variants, the documented one
                definitions[node.name] = entries
    is_package = path.name == "__init__.py"
    return Source(
        public,
        tidy(ast.get_docstring(tree)),
        definitions,
        _exports(body),
        tuple(_imports(name if is_package else name.rpartition(".")[0], body)),
    )


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module or class body, those inside ``if`` and ``try`` included."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _flat(node.body + node.orelse)
        elif isinstance(node, ast.Try):
            handlers = [s for h in node.handlers for s in h.body]
            yield from _flat(node.body + node.orelse + handlers)


def _definition(module: str, node: Function | ast.ClassDef) -> Iterator[Entry]:
    name = f"{module}.{node.name}"
    doc = tidy(ast.get_docstring(node))
    if not isinstance(node, ast.ClassDef):
        yield Entry(module, name, "function", _signature(node, bound=False), doc)
        return
    methods = [m for m in _flat(node.body) if isinstance(m, Function)]
    init = next((m for m in methods if m.name == "__init__"), None)
    doc = doc or tidy(ast.get_docstring(init) if init else "")
    yield Entry(module, name, "class", _signature(init, bound=True) if init else "", doc)
    for method in methods:
        if method.name.startswith("_"):
            continue
        marks = {_last_name(d) for d in method.decorator_list}
        kind = "property" if marks & {"property", "cached_property"} else "method"
        signature = "" if kind == "property" else _signature(method, "staticmethod" not in marks)
        doc = tidy(ast.get_docstring(method))
        yield Entry(module, f"{name}.{method.name}", kind, signature, doc)


def _signature(node: Function, bound: bool) -> str:
    """Parameters as written, e.g. ``(path, *, strict=False)``; a bound one loses ``self``."""
    arguments = node.args
    if bound and arguments.posonlyargs:
        arguments.posonlyargs = arguments.posonlyargs[1:]
    elif bound and arguments.args:
        arguments.args = arguments.args[1:]
    return tidy(f"({ast.unparse(arguments)})")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _exports(body: list[ast.stmt]) -> frozenset[str] | None:
    """The names in ``__all__``, or None where any statement about it is not plain text."""
    names: set[str] = set()
    found = False
    for node in body:
        for value in _export_values(node):
            found = True
            try:
                literal = ast.literal_eval(value)
            except ValueError:
                return None
            names.update([literal] if isinstance(literal, str) else literal)
    return frozenset(names) if found else None


def _export_values(node: ast.stmt) -> Iterator[ast.expr]:
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
            yield value
        case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
            yield value
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="__all__")), args=args)):
            yield from args


def _imports(package: str, body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            module = ".".join([*parents, node.module or ""]) if node.level else node.module or ""
            for alias in node.names:
                if alias.asname in (None, alias.name):
                    yield module, alias.name


def _is_hidden(module: str) -> bool:
    return module in HIDDEN_HOMES or any(p.startswith("_") for p in module.split("."))


def _public_entries(sources: dict[str, Source]) -> Iterator[Entry]:
    """Entries under the name a user imports: ``asyncio.sleep``, not ``asyncio.tasks.sleep``."""
    homes = _public_homes(sources)
    for source in sources.values():
        own = "" if _is_hidden(source.name) else source.name
        if own:
            yield Entry(source.name, source.name, "module", "", source.doc)
        for name, entries in source.definitions.items():
            home = KNOWN_HOMES.get(source.name) or homes.get((source.name, name), own)
            if home and (home != source.name or source.publishes(name)):
                yield from (e.moved(source.name, home) for e in entries)


def _public_homes(sources: dict[str, Source]) -> dict[tuple[str, str], str]:
    """(module, name) -> the public module that re-exports it from a hidden or a submodule."""
    homes: dict[tuple[str, str], str] = {}
    for public in sources.values():
        if _is_hidden(public.name):
            continue
        for module, imported in public.imports:
            source = sources.get(module)
            inner = module.startswith(public.name + ".")
            if source is None or not (inner or _is_hidden(module)):
                continue
            for name in source.definitions if imported == "*" else (imported,):
                wanted = source.publishes(name) if imported == "*" else public.publishes(name)
                if wanted:
                    homes.setdefault((module, name), public.name)
    return homes
