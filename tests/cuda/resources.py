"""What every kernel takes on every architecture, as a table that is kept in the repository.

    python -m tests.cuda.resources

writes the table again; read the difference then.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from gpudb.kernels.launch import Cuda
from tests.cuda import nvrtc
from tests.cuda.launches import Launch, chosen_launches, name_of
from tests.cuda.occupancy import occupancy

FILE = Path(__file__).parent / "resources.json"

Row = dict[str, Any]


def measured(function: Cuda, launches: tuple[Launch, ...], architecture: int) -> Row:
    """Registers, shared and local memory; least and largest occupancy of the launches."""
    found = nvrtc.resources(function.source, architecture)[function.function]
    parts = [
        occupancy(architecture, found.registers, found.shared + launch.shared, launch.threads)
        for launch in launches
    ]
    return {
        "registers": found.registers,
        "shared": found.shared,
        "spilled": found.spilled,
        "stack": found.stack,
        "occupancy": [round(min(parts), 2), round(max(parts), 2)],
    }


def committed() -> dict[str, dict[str, Row]]:
    """Name of the function -> architecture -> what it took."""
    table: dict[str, dict[str, Row]] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def as_text(table: dict[str, dict[str, Row]]) -> str:
    """JSON with one line per function and architecture."""
    functions = []
    for name, rows in table.items():
        lines = [f"    {json.dumps(a)}: {json.dumps(row)}" for a, row in rows.items()]
        functions.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(functions) + "\n}\n"


def _rows(function: Cuda, launches: tuple[Launch, ...]) -> dict[str, Row]:
    return {f"sm_{a}": measured(function, launches, a) for a in nvrtc.ARCHITECTURES}


def main() -> None:
    """Write the table."""
    launches = chosen_launches()
    with ProcessPoolExecutor() as pool:
        rows = pool.map(_rows, launches, launches.values())
        table = dict(zip(map(name_of, launches), rows, strict=True))
    FILE.write_text(as_text(table), encoding="utf-8")


if __name__ == "__main__":
    main()
