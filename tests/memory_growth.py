"""How much memory a process of its own takes for one thing, by its high-water mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.children import run

CHILD = """
import json, sys
from pathlib import Path
import gpudb

def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) << 10

def growth(work):
    # "5" sets the high-water mark to what is resident now: proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    result = work()
    return status("VmHWM") - before, result

settings = json.loads(sys.argv[1])
"""


def measure(code: str, **settings: Any) -> dict[str, Any]:
    """What ``code`` prints as JSON, run in a fresh process.

    It may use ``settings``, ``gpudb`` and ``growth(work)``: bytes that the process grew by at most
    while ``work()`` ran, and its result.
    """
    found: dict[str, Any] = json.loads(run(CHILD + code, json.dumps(settings, default=str)))
    return found


def can_measure() -> bool:
    """False where the system has no high-water mark that can be set back."""
    return Path("/proc/self/clear_refs").exists()
