"""SET of a setting that is gpudb's own: how plans run."""

from __future__ import annotations

import re
from dataclasses import fields

from gpudb.settings import Settings
from gpudb.sql.explain import COMMENTS

OURS = tuple(field.name for field in fields(Settings))
"""Settings that DuckDB does not have."""

_SET = re.compile(
    rf"{COMMENTS}SET{COMMENTS}\b(?:(?:SESSION|GLOBAL)\b{COMMENTS})?(?P<name>{'|'.join(OURS)})\b"
    rf"{COMMENTS}(?:=|TO\b){COMMENTS}(?:'(?P<text>[^']*)'|(?P<number>[+-]?\d+)|(?P<word>\w+))"
    rf"{COMMENTS};?{COMMENTS}",
    re.IGNORECASE | re.DOTALL,
)


def read_setting(text: str) -> tuple[str, str | int | bool] | None:
    """Name and value of a SET of one of our settings; None for any other statement."""
    found = _SET.fullmatch(text)
    if found is None:
        return None
    number = found["number"]
    value: str | int | bool = found["text"] or found["word"] or ""
    if number is not None:
        value = int(number)
    elif str(value).lower() in ("true", "false"):
        value = str(value).lower() == "true"
    return found["name"].lower(), value
