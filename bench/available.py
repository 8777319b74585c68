"""What can run here, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Sequence

from interpreters import missing
from peers.peer import Peer

from gpudb.backend.jit import probe
from gpudb.errors import DeviceError


def unavailable(peers: Sequence[Peer]) -> dict[str, str]:
    """Names of peers that cannot run, and the reason."""
    reasons = {}
    for peer in peers:
        if names := missing(peer):
            reasons[peer.name] = f"not installed: {', '.join(names)}"
        elif "numba" in peer.packages:
            try:
                probe.check(peer.precision)
            except DeviceError as error:
                reasons[peer.name] = str(error)
    return reasons
