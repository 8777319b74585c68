"""One row of the demo's table."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Entry:
    """A documented public name of the standard library."""

    module: str
    name: str
    kind: str
    signature: str
    doc: str

    def moved(self, old: str, new: str) -> Entry:
        """The same entry under the module that publishes it."""
        return replace(self, module=new, name=new + self.name.removeprefix(old))


def tidy(text: str | None) -> str:
    """Text without common indentation and without lone surrogates, which UTF-8 cannot hold."""
    cleaned = inspect.cleandoc(text or "").strip()
    return cleaned.encode("utf-8", "replace").decode("utf-8")
