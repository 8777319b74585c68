"""The database folder: is it there, is it one, may it be used."""

from __future__ import annotations

import os
from pathlib import Path

from gpudb.errors import StorageError

CATALOG = "catalog.sqlite"
PAGES = "pages"


def prepare_folder(folder: Path, *, read_only: bool) -> None:
    """Check that ``folder`` is a database folder; make it when it is new.

    Raises
    ------
    StorageError
        If it is a file, belongs to something else, cannot be made, or cannot be used.
    """
    try:
        if folder.is_dir():
            _check_content(folder)
        elif folder.exists():
            raise StorageError(
                f"{folder} is a file; a database is a folder: give a new or an empty one"
            )
        elif read_only:
            raise StorageError(
                f"{folder} does not exist; a database opened read-only must: check the path"
            )
        else:
            _make(folder)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be used: {error.strerror or error}; check its permissions, or give "
            "another folder"
        ) from error
    _check_access(folder, read_only)


def _check_content(folder: Path) -> None:
    if not (folder / CATALOG).exists() and any(folder.iterdir()):
        raise StorageError(
            f"{folder} is not a gpudb database: it has files but no {CATALOG}; give the path of a "
            "database, or of a new or empty folder"
        )


def _make(folder: Path) -> None:
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise StorageError(
            f"{folder} cannot be made: {parent} is not a folder; make that first, or check the path"
        )
    folder.mkdir(exist_ok=True)


def _check_access(folder: Path, read_only: bool) -> None:
    if not os.access(folder, os.R_OK | os.X_OK):
        raise StorageError(f"{folder} cannot be read; check its permissions")
    if not read_only and not os.access(folder, os.W_OK):
        raise StorageError(
            f"{folder} cannot be written to: make it writable, or open the database with "
            "read_only=True"
        )
    if read_only and not (folder / CATALOG).exists():
        raise StorageError(f"{folder} is empty; a database opened read-only must exist")
