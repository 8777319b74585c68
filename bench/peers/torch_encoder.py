"""PyTorch: eager, compiled, and the fast path of ``nn.TransformerEncoder``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rows import Rows

from peers.peer import Prepare, Run
from peers.torch_module import by_class, written_out


@dataclass(frozen=True)
class TorchEncoder:
    """Rows of numbers through an encoder; ``way`` is ``eager``, ``compiled`` or ``fast path``."""

    way: str = "eager"
    precision = "float32"
    packages = ("torch",)

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"PyTorch {self.way}"

    @property
    def files(self) -> str:
        """Nothing is written, apart from a log."""
        return self.name.replace(" ", "-")

    def convert(self, model: Path, folder: Path) -> None:
        """It reads the weights as they are."""

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Make the module."""
        import torch

        torch.set_num_threads(threads)
        module = by_class(model) if self.way == "fast path" else written_out(model)

        def prepare(given: Rows) -> Run:
            inputs = [torch.from_numpy(given.x)]
            if given.padded:
                present = torch.from_numpy(given.present)
                # The class takes the mask third, and true for what is not there.
                inputs += [None, ~present] if self.way == "fast path" else [present]
            run = module
            if self.way == "compiled":  # for each shape anew: that is what is fastest
                torch.compiler.reset()
                run = torch.compile(module, dynamic=False)

            def once() -> np.ndarray:
                with torch.inference_mode():
                    return run(*inputs).numpy()

            once()
            return once

        return prepare
