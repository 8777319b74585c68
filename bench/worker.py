"""The process in which one peer runs: reads commands from its input, answers each with a line.

Started by ``processes.py``. Commands and answers are JSON; texts and arrays lie in files. It
imports little, so that the time to the first answer is that of the peer.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import nvtx
from peers.peer import Peer, Prepare, Run


class Worker:
    """One peer, what it loaded, and what it is ready to run."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.prepare: Prepare | None = None
        self.runs: dict[str, list[Run]] = {}

    def convert(self, model: str, folder: str) -> dict[str, Any]:
        """Write the model in the peer's own form."""
        self.peer.convert(Path(model), Path(folder))
        return {}

    def load(self, model: str, folder: str, threads: int) -> dict[str, Any]:
        """Read what was converted; what was loaded before is forgotten."""
        self.runs.clear()
        self.prepare = self.peer.load(Path(model), Path(folder), threads)
        return {}

    def ready(self, key: str, inputs: str) -> dict[str, Any]:
        """Take inputs: a list of them, one for each call that a run makes."""
        assert self.prepare is not None
        self.runs[key] = [self.prepare(given) for given in pickle.loads(Path(inputs).read_bytes())]
        return {}

    def run(self, key: str, times: int = 1, out: str = "") -> dict[str, Any]:
        """Run; seconds on the clock and of the processor, of all ``times`` together."""
        with nvtx.annotate(f"{self.peer.name}: {key}", domain="bench"):
            processor, started = time.process_time(), time.perf_counter()
            for _ in range(times):
                answers = [run() for run in self.runs[key]]
            seconds = time.perf_counter() - started
            processor = time.process_time() - processor
        if out:
            np.save(out, np.concatenate(answers))
        return {"seconds": seconds, "processor": processor}

    def peak(self) -> dict[str, Any]:
        """Most memory that this process ever held, in bytes; 0 where the system does not tell."""
        status = Path("/proc/self/status")
        lines = status.read_text().splitlines() if status.exists() else []
        sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
        return {"nbytes": sum(sizes)}


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    worker = Worker(pickle.loads(bytes.fromhex(sys.argv[1])))
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
