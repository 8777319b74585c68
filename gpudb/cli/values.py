"""One value at a time: parameters in; JSON values and table cells out."""

from __future__ import annotations

import argparse
import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NoReturn

SHOWN = 4
"""Numbers of a long vector that a table shows."""


def parse_parameter(text: str) -> tuple[str, Any]:
    """Split ``name=value``; the value is a JSON number, constant, text or list, or plain text."""
    name, equals, value = text.partition("=")
    name = name.removeprefix("$")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no parameter; expected NAME=VALUE, e.g. q='light and funny'"
        )
    try:
        return name, json.loads(value, parse_constant=_refuse)
    except ValueError:
        return name, value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are no JSON: taken as text


def to_json(value: Any) -> Any:
    """A value of an Arrow column as one the ``json`` module writes as valid JSON."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case dict():
            return {str(k): to_json(v) for k, v in value.items()}
        case list() | tuple():
            return [to_json(v) for v in value]
    return str(value)


def _number(value: Decimal) -> int | float | None:
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def json_text(value: Any) -> str:
    """A value as JSON text."""
    return json.dumps(to_json(value), ensure_ascii=False, allow_nan=False)


def cell_text(value: Any) -> str:
    """A value as one line of text for a table; long vectors are shortened."""
    match value:
        case None:
            return "NULL"
        case str():
            return _printable(value)
        case bytes():
            return value.hex()
        case list() if len(value) > 2 * SHOWN and isinstance(value[0], float):
            head = ", ".join(f"{v:.4f}" if v is not None else "null" for v in value[:SHOWN])
            return f"[{head}, … {len(value)} values]"
        case list() | dict() | tuple():
            return _printable(json_text(value))
    return str(value)


def _printable(text: str) -> str:
    """Text without control characters, which could move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    # joiners and direction marks are part of ordinary text in many scripts
    ordinary = ord(character) > 0x9F and character not in "\u2028\u2029"
    return character if ordinary else character.encode("unicode_escape").decode("ascii")
