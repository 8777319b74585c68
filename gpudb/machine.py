"""What this machine can do at most: measured once, kept in the user's cache folder.

``gpudb doctor --measure`` measures and writes; EXPLAIN ANALYZE reads. One file holds every machine
that shares the folder, each under what its numbers depend on.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from gpudb.config import available_threads, cache_folder
from gpudb.errors import StorageError

FILE = "machine.json"
FORMAT = 1
NOT_MEASURED = "ceilings not measured: gpudb doctor --measure"


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Rates that no operator can be faster than, as long as its data does not fit a cache."""

    gflops_one: float
    """float32 GFLOP/s of matrix products on one thread."""
    gflops_all: float
    """The same on all threads together."""
    gbytes_one: float
    """GB/s that one thread reads and writes in arrays larger than the caches."""
    gbytes_all: float
    """The same of all threads together."""
    threads: int
    """How many "all" are."""
    measured: str
    """When, UTC."""

    def per_worker(self, workers: int, blas_threads: int) -> tuple[float, float]:
        """GFLOP/s and GB/s that one of so many workers can reach while all of them work.

        Parameters
        ----------
        workers
            Threads that run operators at once.
        blas_threads
            Threads of one matrix product; 1 when workers run one-thread products.
        """
        alone = self.gflops_one if blas_threads == 1 else self.gflops_all
        return min(alone, self.gflops_all / workers), min(
            self.gbytes_one, self.gbytes_all / workers
        )


@cache
def machine_key() -> str:
    """What the numbers depend on: processor, threads, and the library that multiplies."""
    blas = [
        f"{i['internal_api']} {i['version']} {i.get('architecture', '')}".strip()
        for i in threadpool_info()
        if i["user_api"] == "blas"
    ]
    parts = (
        _processor(),
        f"{available_threads()} threads",
        f"numpy {np.__version__}",
        *(blas or ["no known BLAS"]),
    )
    return "; ".join(parts)


def ceilings_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the numbers are kept."""
    return cache_folder(environ) / FILE


def read_ceilings(path: Path | None = None) -> tuple[Ceilings | None, str]:
    """Ceilings of this machine, or None and why there are none.

    A file that is damaged, or numbers of another machine or library, are as good as none.
    """
    path = path or ceilings_file()
    try:
        machines = _read(path)
        return _ceilings(machines[machine_key()]), ""
    except FileNotFoundError:
        return None, NOT_MEASURED
    except KeyError:
        return None, f"{NOT_MEASURED} ({path} is of another machine or library)"
    except (OSError, ValueError, TypeError) as error:
        return None, f"{NOT_MEASURED} ({path} is ignored: {error})"


def write_ceilings(ceilings: Ceilings, path: Path | None = None) -> Path:
    """Keep this machine's ceilings beside those of others; where.

    Raises
    ------
    StorageError
        The cache folder cannot be written to.
    """
    path = path or ceilings_file()
    try:
        machines = _read(path)
    except (OSError, ValueError, TypeError):
        machines = {}  # nothing there, or nothing that can be used
    machines[machine_key()] = asdict(ceilings)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": FORMAT, "machines": machines}, indent=1)
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageError(
            f"{path}: the ceilings cannot be kept ({error.strerror or error}); set XDG_CACHE_HOME "
            "to a folder that can be written to"
        ) from error
    return path


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("version") != FORMAT:
        raise ValueError(f"not version {FORMAT}")
    machines = content.get("machines")
    if not isinstance(machines, dict):
        raise ValueError("it lists no machines")
    return machines


def _ceilings(values: Any) -> Ceilings:
    expected = {f.name for f in fields(Ceilings)}
    if not isinstance(values, dict) or set(values) != expected:
        raise ValueError(f"expected {', '.join(sorted(expected))}")
    for name in expected - {"measured"}:
        value = values[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value <= 0:
            raise ValueError(f"{name} is {value!r}")
    return Ceilings(**{**values, "measured": str(values["measured"])})


def _processor() -> str:
    """The processor's model, as Linux names it; elsewhere what Python knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
