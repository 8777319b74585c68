"""Everything that needs a GPU, in one go: tests, compute-sanitizer, benches. Writes a report.

    python bench/on_gpu.py --out gpu-report
    python bench/on_gpu.py --list

Steps that fail do not stop the others; the exit code says whether all of them passed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]
PYTEST = (sys.executable, "-m", "pytest", "-q")
OPERATORS = ("tests/exec/operators", "--ignore-glob=*test_memory*", "--backend", "cuda")
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
MOST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Step:
    """One command."""

    name: str
    command: tuple[str, ...]
    needs: str = ""
    """A program without which it is left out, and said so."""


def steps() -> list[Step]:
    """In the order in which they say most about a machine that is new."""
    return [
        Step("doctor", (sys.executable, "-m", "gpudb.cli", "doctor")),
        Step("kernels and backend", (*PYTEST, "-m", "gpu")),
        Step("operators", (*PYTEST, *OPERATORS)),
        *(
            Step(
                f"compute-sanitizer {tool}",
                (
                    *("compute-sanitizer", "--tool", tool, "--error-exitcode", "1"),
                    *(*PYTEST, "-m", "gpu", "--most-cases", "20", "tests/cuda"),
                ),
                needs="compute-sanitizer",
            )
            for tool in SANITIZERS
        ),
        Step("predicted speed", (sys.executable, "bench/predict_gpu.py")),
        Step("measured speed", (sys.executable, "bench/bench_embed.py")),
    ]


def main() -> int:
    """Run the steps and write one file for each, and a summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu-report"), help="a folder")
    parser.add_argument("--list", action="store_true", help="only say what would run")
    args = parser.parse_args()
    if args.list:
        for step in steps():
            sys.stdout.write(f"{step.name}: {' '.join(step.command)}\n")
        return 0
    from gpudb.backend import obstacle

    if reason := obstacle():
        sys.stderr.write(f"no GPU to run on: {reason}\n")
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    results = [_run(step, args.out) for step in steps()]
    (args.out / "summary.json").write_text(json.dumps(results, indent=2) + "\n")
    for result in results:
        sys.stdout.write(f"{result['state']:>9}  {result['seconds']:8.1f} s  {result['name']}\n")
    return int(any(result["state"] == "failed" for result in results))


def _run(step: Step, folder: Path) -> dict[str, object]:
    """Run one step; its output goes to a file of its name."""
    if step.needs and shutil.which(step.needs) is None:
        return {"name": step.name, "state": "left out", "seconds": 0.0, "why": f"no {step.needs}"}
    started = perf_counter()
    with (folder / f"{step.name.replace(' ', '-')}.txt").open("w") as output:
        try:
            code = subprocess.run(
                step.command,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=MOST_SECONDS,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    state = "passed" if code == 0 else "failed"
    return {"name": step.name, "state": state, "seconds": perf_counter() - started, "code": code}


if __name__ == "__main__":
    raise SystemExit(main())
