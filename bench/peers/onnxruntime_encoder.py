"""ONNX Runtime: the graph that its optimiser for transformers makes of a PyTorch module."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rows import Rows

from peers.onnxruntime import open_session
from peers.peer import Prepare, Run
from peers.sentence_module import tracing
from peers.torch_module import written_out


@dataclass(frozen=True)
class OnnxRuntimeEncoder:
    """Rows of numbers through an encoder."""

    name = "ONNX Runtime"
    precision = "float32"
    packages = ("onnxruntime", "onnx", "torch")
    files = "onnxruntime-encoder"

    def convert(self, model: Path, folder: Path) -> None:
        """Export from PyTorch."""
        import torch

        module = written_out(model)
        x = torch.zeros(2, 3, module.layers_0_norm1_bias.shape[0])
        present = torch.ones(2, 3, dtype=torch.bool)
        free = {0: "b", 1: "s"}
        with tracing():
            for name, inputs in (("model", {"x": x}), ("padded", {"x": x, "present": present})):
                torch.onnx.export(
                    module,
                    tuple(inputs.values()),
                    folder / f"{name}.onnx",
                    input_names=list(inputs),
                    output_names=["y"],
                    dynamic_axes=dict.fromkeys((*inputs, "y"), free),
                    opset_version=20,  # the first that knows GELU
                    dynamo=False,
                )

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Open a session, which optimises the graph; another one for batches with padding."""

        def prepare(given: Rows) -> Run:
            session = opened("padded" if given.padded else "model")
            inputs = {"x": given.x} | ({"present": given.present} if given.padded else {})
            return lambda: session.run(None, inputs)[0]

        @cache
        def opened(name: str) -> Any:
            return open_session(folder / f"{name}.onnx", threads)

        return prepare
