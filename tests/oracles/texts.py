"""Real texts of every length, from the documentation of Python's standard library."""

from __future__ import annotations

import importlib
import inspect

from tests.models.odd_texts import odd_texts

MODULES = (
    "argparse collections email.message logging os pathlib shutil socket string tarfile zipfile"
)


def real_texts() -> list[str]:
    """Docstrings, whole, in an order that is always the same."""
    found: dict[str, None] = {}
    for name in MODULES.split():
        module = importlib.import_module(name)
        owners = [module, *(v for _, v in sorted(vars(module).items()) if inspect.isclass(v))]
        for owner in owners:
            for _, value in sorted(vars(owner).items()):
                doc = getattr(value, "__doc__", None)
                if isinstance(doc, str):
                    found.setdefault(doc)
    return list(found)


def texts(least: int) -> list[str]:
    """Odd texts, real ones, and some that are longer than any model reads."""
    real = real_texts()
    long = [" ".join(real[i::40])[:20_000] for i in range(5)]
    chosen = [*odd_texts(150), *long, *real]
    assert len(chosen) >= least
    return chosen[:least]
