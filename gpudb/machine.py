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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from gpudb.config import available_threads, cache_folder
from gpudb.errors import StorageError

FILE = "machine.json"
FORMAT = 2
NOT_MEASURED = "ceilings not measured: gpudb doctor --measure"


@dataclass(frozen=True, slots=True)
class Rates:
    """How much a second, of something that threads do."""

    one: float
    """One thread, while the others rest."""
    all: float
    """All threads together."""

    def per_worker(self, workers: int, threads: int = 1) -> float:
        """What each of so many workers can reach while all of them work.

        Parameters
        ----------
        workers
            Threads that run operators at once.
        threads
            Threads of one operator: those of a BLAS, where it has more than one.
        """
        alone = self.one if threads == 1 else self.all
        return min(alone, self.all / workers)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Rates that no operator can be faster than."""

    products: Mapping[str, Rates]
    """GFLOP/s of matrix products, by device and precision: ``"numpy float32"``, ``"jit int8"``."""
    moves: Mapping[int, Rates]
    """GB/s read and written, by the bytes that are gone over again and again. The largest fit no
    cache, and threads share them; of the others, each thread has as many."""
    threads: int
    """How many "all" are."""
    measured: str
    """When, UTC."""

    def multiplying(self, device: str, precision: str) -> Rates | None:
        """GFLOP/s of a device's own products; None where they were not measured."""
        return self.products.get(f"{device} {precision}")

    def computing(self, device: str) -> Rates | None:
        """GFLOP/s of anything else that a device computes in float32.

        On device ``jit`` some of it is compiled and some is NumPy's: the faster of the two counts.
        """
        own = self.multiplying(device, "float32")
        plain = self.multiplying("numpy", "float32")
        if own is None or plain is None or device != "jit":
            return own
        return Rates(max(own.one, plain.one), max(own.all, plain.all))

    def moving(self, nbytes: float) -> tuple[Rates, bool]:
        """GB/s at which so many bytes can move, and whether that is a cache's rate.

        Those of the largest size measured that is no larger: sizes in between may still fit.
        """
        smaller = [size for size in self.moves if size <= nbytes]
        size = max(smaller, default=min(self.moves))
        rates = [rate for other, rate in self.moves.items() if other >= size]
        fastest = Rates(max(r.one for r in rates), max(r.all for r in rates))
        return fastest, size < max(self.moves)


@cache
def machine_key() -> str:
    """What the numbers depend on: processor, threads, and the libraries that multiply."""
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
        *(f"numba {numba}" for numba in _numba()),
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
    except (OSError, ValueError, TypeError, AttributeError) as error:
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
    _expect(values, Ceilings)
    threads = values["threads"]
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads is {threads!r}")
    if not values["products"] or not values["moves"]:
        raise ValueError("products or moves are empty")
    return Ceilings(
        products={str(name): _rates(name, v) for name, v in values["products"].items()},
        moves={int(size): _rates(size, v) for size, v in values["moves"].items()},
        threads=threads,
        measured=str(values["measured"]),
    )


def _rates(name: str, values: Any) -> Rates:
    _expect(values, Rates)
    for value in values.values():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value <= 0:
            raise ValueError(f"{name} is {value!r}")
    return Rates(**values)


def _expect(values: Any, kind: type[Ceilings | Rates]) -> None:
    expected = {f.name for f in fields(kind)}
    if not isinstance(values, dict) or set(values) != expected:
        raise ValueError(f"expected {', '.join(sorted(expected))}")


def _numba() -> list[str]:
    """Version of numba, and what it is told of the processor; nothing where it is missing."""
    try:
        told = (os.environ.get(f"NUMBA_CPU_{what}", "") for what in ("NAME", "FEATURES"))
        return [" ".join(filter(None, (version("numba"), *told)))]
    except PackageNotFoundError:
        return []


def _processor() -> str:
    """The processor's model, as Linux names it; elsewhere what Python knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
