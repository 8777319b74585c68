"""OpenVINO: a PyTorch module, converted; one stream, which latency asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peers.peer import Prepare, Run
from peers.sentence_module import tracing
from peers.torch_module import written_out


@dataclass(frozen=True)
class OpenVinoEncoder:
    """Rows of numbers through an encoder."""

    name = "OpenVINO"
    precision = "float32"
    packages = ("openvino", "torch")
    files = "openvino-encoder"

    def convert(self, model: Path, folder: Path) -> None:
        """Convert from PyTorch."""
        import openvino
        import torch

        module = written_out(model)
        width = module.layers_0_norm1_bias.shape[0]
        with tracing():
            graph = openvino.convert_model(
                module, example_input=torch.zeros(2, 3, width), input=[-1, -1, width]
            )
        openvino.save_model(graph, folder / "model.xml", compress_to_fp16=False)

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Compile it for this processor."""
        import openvino

        settings = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", settings)

        def prepare(x: np.ndarray) -> Run:
            request = compiled.create_infer_request()
            return lambda: request.infer([x], share_inputs=True)[0]

        return prepare
