"""The Python that a peer runs in: ours, or that of an environment of its own.

Some frameworks cannot be installed beside the others. ``BENCH_PYTHON_MXNET=/path/to/bin/python``
says where MXNet is; that environment needs NumPy and nvtx as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from peers.peer import Peer

_VERSION = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"


def interpreter(peer: Peer) -> str:
    """Path of the Python to start for a peer."""
    return os.environ.get(f"BENCH_PYTHON_{peer.name.upper().replace(' ', '_')}", sys.executable)


def versions(peer: Peer) -> dict[str, str]:
    """Version of each distribution it needs; "" for one that is not installed."""
    return {package: _version(interpreter(peer), package) for package in peer.packages}


def missing(peer: Peer) -> list[str]:
    """Distributions that a peer needs and does not find."""
    return [package for package, found in versions(peer).items() if not found]


@cache
def _version(python: str, package: str) -> str:
    if python == sys.executable:
        try:
            return version(package)
        except PackageNotFoundError:
            return ""
    try:
        done = subprocess.run(
            [python, "-c", _VERSION, package], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()
