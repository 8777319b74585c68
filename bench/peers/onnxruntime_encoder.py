"""ONNX Runtime: the graph that its optimiser for transformers makes of a PyTorch module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

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

        with tracing():
            torch.onnx.export(
                written_out(model),
                (torch.zeros(2, 3, written_out(model).layers_0_norm1_bias.shape[0]),),
                folder / "model.onnx",
                input_names=["x"],
                output_names=["y"],
                dynamic_axes={"x": {0: "b", 1: "s"}, "y": {0: "b", 1: "s"}},
                opset_version=20,  # the first that knows GELU
                dynamo=False,
            )

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Open a session, which optimises the graph."""
        session = open_session(folder / "model.onnx", threads)

        def prepare(x: np.ndarray) -> Run:
            return lambda: session.run(None, {"x": x})[0]

        return prepare
