"""Settings that come from outside the code. The one place that reads ``GPUDB_*`` variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from gpudb.errors import InputError


@dataclass(frozen=True)
class Config:
    """What the environment may set; arguments of :func:`gpudb.connect` win over it."""

    device: str = "auto"
    """``GPUDB_DEVICE``: auto, cuda, numpy or null."""
    threads: int = 0
    """``GPUDB_THREADS``: worker threads; 0 means every processor this process may use."""
    token_budget: int = 0
    """``GPUDB_TOKEN_BUDGET``: most tokens in one batch of a worker; 0 is as the device likes."""
    verify_pages: bool = True
    """``GPUDB_VERIFY_PAGES``: compare a page with its hash when it is first opened."""
    history: bool = True
    """``GPUDB_HISTORY``: record statements, for ``gpudb.queries``."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the variables; what is not set keeps its default."""
        return cls(
            device=environ.get("GPUDB_DEVICE", cls.device),
            threads=_integer(environ, "GPUDB_THREADS", cls.threads, least=0),
            token_budget=_integer(environ, "GPUDB_TOKEN_BUDGET", cls.token_budget, least=1),
            verify_pages=environ.get("GPUDB_VERIFY_PAGES", "1") not in ("0", "false", "no"),
            history=environ.get("GPUDB_HISTORY", "1") not in ("0", "false", "no"),
        )


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where things are kept that can be made again: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "gpudb"


def available_threads() -> int:
    """Processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_nbytes(size: int | str) -> int:
    """A number of bytes, or text such as ``"512MB"`` or ``"4GiB"``, as a number of bytes.

    Raises
    ------
    InputError
        It is neither, or not above zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", str(size), re.IGNORECASE)
    if isinstance(size, bool) or match is None:
        nbytes = 0
    else:
        number, prefix, binary = match.groups()
        unit = (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
        nbytes = int(Fraction(number) * unit)
    if not 1 <= nbytes < 1 << 63:
        raise InputError(f"memory_limit is {size!r}; expected bytes, or text such as '4GB'")
    return nbytes


def _integer(environ: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = environ.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise InputError(f"{name} is {text!r}; expected a whole number of at least {least}")
    return value
