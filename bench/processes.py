"""One process for each peer: the other end of ``worker.py``."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from interpreters import interpreter
from peers.peer import Peer

WORKER = Path(__file__).with_name("worker.py")
DONE = "converted"


class PeerError(Exception):
    """A peer could not do what it was asked for."""


@dataclass(frozen=True)
class Timing:
    """What one or more runs took."""

    seconds: float
    """Of one run."""
    processor: float
    """Seconds of all runs and all threads of the process."""


class Process:
    """A peer in a process of its own. What it writes to its error output goes to ``log``."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self.peer = peer
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{peer.files}.log"
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [interpreter(peer), str(WORKER), pickle.dumps(peer).hex()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(peer),
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=20)  # closes both ends; the worker then returns
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def convert(self, model: Path) -> None:
        """Write the model in the peer's own form."""
        folder = converted_folder(self._folder, self.peer, model)
        folder.mkdir(parents=True, exist_ok=True)
        self._ask("convert", model=str(model), folder=str(folder))
        (folder / DONE).touch()

    def load(self, model: Path, threads: int) -> None:
        """Read what was converted."""
        folder = converted_folder(self._folder, self.peer, model)
        self._ask("load", model=str(model), folder=str(folder), threads=threads)

    def ready(self, key: str, inputs: Sequence[Any]) -> None:
        """Take inputs under a name: one for each call that a run makes."""
        with tempfile.NamedTemporaryFile(dir=self._folder) as file:
            file.write(pickle.dumps(list(inputs)))
            file.flush()
            self._ask("ready", key=key, inputs=file.name)

    def run(self, key: str, times: int = 1) -> Timing:
        """Run over the inputs of that name; the time is of one of ``times`` runs."""
        answer = self._ask("run", key=key, times=times)
        return Timing(answer["seconds"] / times, answer["processor"])

    def answer(self, key: str) -> np.ndarray:
        """What a run computes."""
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".npy") as file:
            self._ask("run", key=key, out=file.name)
            return np.load(file.name)

    def peak_nbytes(self) -> int:
        """Most memory that the process ever held."""
        return int(self._ask("peak")["nbytes"])

    def _ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            raise PeerError(f"{self.peer.name}: {do}: {answer['error']}; see {self.log}")
        return dict(answer)


class Processes:
    """Processes by peer, each with the same model; those of another model are ended.

    Parameters
    ----------
    folder
        Where converted models and logs go.
    threads
        Of each process.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self._threads = threads
        self._model: Path | None = None
        self._open: dict[Peer, Process] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all of them."""
        for process in self._open.values():
            process.close()
        self._open.clear()

    def loaded(self, peer: Peer, model: Path) -> Process:
        """The process of a peer that has loaded a model."""
        if model != self._model:
            self.close()
            self._model = model
        if peer not in self._open:
            self._open[peer] = self.start(peer, model)
        return self._open[peer]

    def start(self, peer: Peer, model: Path) -> Process:
        """A new process that has loaded a model, which another one converts, where it has to be."""
        if not (converted_folder(self.folder, peer, model) / DONE).exists():
            with Process(peer, self.folder) as converter:
                converter.convert(model)
        process = Process(peer, self.folder)
        try:
            process.load(model, self._threads)
        except PeerError:
            process.close()
            raise
        return process


def converted_folder(folder: Path, peer: Peer, model: Path) -> Path:
    """Where a model lies in a peer's own form."""
    return folder / f"{peer.files}-{model.name}"


def _environment(peer: Peer) -> dict[str, str]:
    """Ours, less what would tie a library to less than the processor has; nothing is downloaded.

    Python keeps what it compiled of gpudb, as it does of what pip installed.
    The repository is on the path of gpudb only: transformers takes its folder ``kernels`` for the
    package of that name.
    """
    hidden = {
        *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_NUM_THREADS", "GPUDB_TOKEN_BUDGET"),
        "PYTHONDONTWRITEBYTECODE",
    }
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    if "gpudb" not in peer.name:
        paths = kept.pop("PYTHONPATH", "").split(os.pathsep)
        others = [path for path in paths if path and Path(path).resolve() != WORKER.parents[1]]
        kept |= {"PYTHONPATH": os.pathsep.join(others)} if others else {}
    return {**kept, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
