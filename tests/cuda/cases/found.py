"""All cases: every module of this folder that has CASES."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from tests.cuda.cases.case import Case


@cache
def all_cases() -> tuple[Case, ...]:
    """In the order of the modules' names."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("*.py"))
    modules = [importlib.import_module(f"tests.cuda.cases.{n}") for n in names if n != "found"]
    return tuple(case for m in modules for case in getattr(m, "CASES", ()))
