"""``gpudb bench``: how fast this machine is, on every device and in every precision that it has."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gpudb.cli.options import Commands, add_command, add_database_options
from gpudb.errors import CatalogError, InputError
from gpudb.settings import precision_named

if TYPE_CHECKING:
    from gpudb.database import Database
    from gpudb.machine import Ceilings
    from gpudb.result import Result

DETAIL = """

Embeds documentation of Python's standard library, from strings to vectors, tokenising included.
Every device here, or the one named, takes its turn; after a warm-up, medians of the rounds. The
limit is the time that all counted operations would take at the rate of the device's products of
matrices, which are measured first. cosine is the smallest between a device's vectors and those of
the first line. Measure while nothing else runs."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one device did in one precision."""

    device: str
    precision: str
    seconds: tuple[float, ...]
    """Of each round."""
    texts_per_second: float
    """By the median of the rounds, as all that follow."""
    tokens_per_second: float
    limit_texts_per_second: float | None
    """If all operations ran at the rate of products; None where that was not measured."""
    limit_share: float | None
    speedup: float
    """Over the first device: median of the rounds' ratios."""
    least_cosine: float | None
    """With the first device's vectors; None where a vector is zero or not finite."""


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "bench",
        "measure how many texts a second this machine embeds",
        "gpudb bench embed\n  gpudb bench embed -d my.gpudb --model minilm --device jit",
        DETAIL,
    )
    parser.add_argument("what", choices=("embed",), help="what to measure")
    parser.add_argument(
        "--model", metavar="NAME", help="a model of the database (default: the only one there)"
    )
    parser.add_argument("--texts", type=int, default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument(
        "--precision",
        metavar="NAME",
        type=precision_named,
        help="float32, bfloat16, int8, … (default: each there is)",
    )
    parser.add_argument("--json", action="store_true", help="JSON, with machine and versions")
    add_database_options(
        parser,
        default=None,
        note="the database folder (default: a temporary one, the demo's model)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, and write a table or JSON."""
    for option in ("texts", "rounds"):
        if getattr(args, option) < 1:
            args.parser.error(f"--{option} is {getattr(args, option)}; it must be at least 1")
    from gpudb.cli.measure import busy, measure
    from gpudb.cli.stdlib_docs import distinct_docs

    if note := busy():
        sys.stderr.write(f"{note}\n")
    settings = _settings(args.device, args.precision)
    column = distinct_docs(args.texts)
    with ExitStack() as stack:
        folder = stack.enter_context(_database(args))
        open_one = partial(_open, args, folder, stack)
        databases = {name: open_one(*name) for name in settings}
        model = _model(next(iter(databases.values())), args.model)
        ceilings = measure(sizes=[1 << 20])
        speeds, stats = compare(databases, model, column, args.rounds, ceilings)
    if args.json:
        _write_json(model, speeds, stats, args.rounds, ceilings)
    else:
        _write_table(model, speeds, stats, args.rounds)
    return 0


def _settings(device: str | None, precision: str | None) -> list[tuple[str, str]]:
    """Device and precision of each that was asked for and runs here; an error where none does."""
    from gpudb.backend import open_backend
    from gpudb.cli.devices import available

    devices: tuple[str, ...] = ()
    if device is not None:
        backend = open_backend(device, precision=precision or "float32")
        if not backend.computes:
            raise InputError(
                f"device {device!r} computes nothing to measure; expected numpy, jit or cuda"
            )
        devices = (backend.name,)
    here = list(available(*devices))
    found = [setting for setting in here if precision in (None, setting[1])]
    if not found:
        has = ", ".join(dict.fromkeys(computes for _, computes in here))
        raise InputError(
            f"no device here computes in precision {precision!r}; expected one of {has}; "
            "gpudb doctor says what each device has, and why not"
        )
    return found


@contextmanager
def _database(args: argparse.Namespace) -> Iterator[str]:
    """The folder of the database that was named, or of a temporary one with the demo's model."""
    if args.db is not None:
        yield args.db
        return
    from gpudb import connect
    from gpudb.cli.demo import MODEL, model_folder

    files = model_folder()
    with TemporaryDirectory(prefix="gpudb-bench-") as folder:
        with connect(folder, device="numpy", history=False) as db:
            db.import_model(files, MODEL)
        yield folder


def _open(
    args: argparse.Namespace, folder: str, stack: ExitStack, device: str, precision: str
) -> Database:
    from pathlib import Path

    from gpudb import connect

    if not Path(folder).exists():
        raise CatalogError(
            f"there is no database at {folder}; name another with -d, or leave it out to measure "
            "the demo's model"
        )
    return stack.enter_context(
        connect(
            folder,
            device=device,
            precision=precision,
            threads=args.threads,
            memory_limit=args.memory_limit,
            history=False,
        )
    )


def _model(db: Database, name: str | None) -> str:
    """The model that was named, or the only one."""
    names = db.models()
    if name is not None:
        return name
    if len(names) != 1:
        raise InputError(
            f"the database has {len(names)} models ({', '.join(names) or 'none'}); "
            "name one: gpudb bench embed -d DATABASE --model NAME"
        )
    return names[0]


def compare(
    databases: dict[tuple[str, str], Database],
    model: str,
    column: Sequence[str],
    rounds: int,
    ceilings: Ceilings,
) -> tuple[list[Speed], Result]:
    """Let all embed the same column in turn; their speeds, and the first one's result."""
    from gpudb.cli.turns import take_turns

    results = {name: db.embed(model, column) for name, db in databases.items()}
    first, *_ = results.values()
    runners: dict[str, Callable[[], object]] = {
        " ".join(name): partial(db.embed, model, column) for name, db in databases.items()
    }
    measured = take_turns(runners, rounds)
    plain, *_ = measured.values()
    speeds = []
    for (device, precision), result in results.items():
        seconds = measured[f"{device} {precision}"]
        median = statistics.median(seconds)
        rates = ceilings.multiplying(device, precision)
        limit = result.stats.flops / rates.all / 1e9 if rates else None
        speeds.append(
            Speed(
                device=device,
                precision=precision,
                seconds=tuple(seconds),
                texts_per_second=len(column) / median,
                tokens_per_second=result.stats.tokens / median,
                limit_texts_per_second=len(column) / limit if limit else None,
                limit_share=limit / median if limit else None,
                speedup=statistics.median(a / b for a, b in zip(plain, seconds, strict=True)),
                least_cosine=_least_cosine(first, result),
            )
        )
    return speeds, first


def _least_cosine(first: Result, other: Result) -> float | None:
    import numpy as np

    a, b = (r.numpy("embedding").astype(np.float64) for r in (first, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    if not np.isfinite(lengths).all() or not lengths.all():
        return None
    return float(((a * b).sum(axis=1) / lengths).min())


def _write_table(model: str, speeds: Sequence[Speed], first: Result, rounds: int) -> None:
    import pyarrow as pa

    from gpudb.cli.output import show_table

    def share(x: float | None) -> str:
        return "-" if x is None else f"{x:.0%}"

    stats = first.stats
    sys.stdout.write(
        f"{model}: {stats.texts:,} texts, {stats.tokens:,} tokens, {stats.threads} threads, "
        f"median of {rounds} rounds\n"
    )
    rows = [
        {
            "device": speed.device,
            "precision": speed.precision,
            "texts/s": f"{speed.texts_per_second:,.1f}",
            "tokens/s": f"{speed.tokens_per_second:,.0f}",
            "of limit": share(speed.limit_share),
            "speed-up": f"{speed.speedup:.2f}",
            "cosine": "-" if speed.least_cosine is None else f"{speed.least_cosine:.5f}",
        }
        for speed in speeds
    ]
    show_table(pa.Table.from_pylist(rows), sys.stdout)


def _write_json(
    model: str, speeds: Sequence[Speed], first: Result, rounds: int, ceilings: Ceilings
) -> None:
    from gpudb import __version__
    from gpudb.machine import machine_key

    content = {
        "machine": machine_key(),
        "versions": {"gpudb": __version__, "python": platform.python_version()},
        "model": model,
        "texts": first.stats.texts,
        "tokens": first.stats.tokens,
        "threads": first.stats.threads,
        "rounds": rounds,
        "products_gflops": {name: asdict(rates) for name, rates in ceilings.products.items()},
        "results": [asdict(speed) for speed in speeds],
    }
    sys.stdout.write(json.dumps(content, indent=2, allow_nan=False) + "\n")
