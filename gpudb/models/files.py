"""Small files of a model folder, read with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpudb.errors import CheckpointError

AGAIN = "Download or export the model again."
MAKE_TOKENIZER_JSON = (
    "Write a tokenizer.json, which gpudb reads, with transformers: "
    "AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
)


def file_names(folder: Path) -> frozenset[str]:
    """Names of everything that lies directly in ``folder``."""
    if not folder.exists():
        raise CheckpointError(
            f"{folder}: no such folder; expected a model folder as Hugging Face or "
            "sentence-transformers write it"
        )
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: found a file; expected the folder that holds the model")
    try:
        return frozenset(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error


def read_text(path: Path) -> str:
    """The UTF-8 text of ``path``, with line ends as ``\\n``."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"{path}: byte {error.start} is not UTF-8; expected a UTF-8 text file. {AGAIN}"
        ) from error


def read_bytes(path: Path) -> bytes:
    """The bytes of ``path``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def read_json(path: Path) -> Any:
    """The JSON value in ``path``."""
    return parse_json(read_text(path), path)


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{path}: found a JSON {type(value).__name__}; expected an object {{...}}. {AGAIN}"
        )
    return value


def parse_json(text: str, path: Path) -> Any:
    """The JSON value in ``text``, which was read from ``path``."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not JSON ({error}); expected a JSON file. {AGAIN}"
        ) from error


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    reason = error.strerror or str(error)
    return CheckpointError(
        f"{path}: cannot be read ({reason}); check that it is there and readable"
    )
