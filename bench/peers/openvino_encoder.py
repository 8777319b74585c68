"""OpenVINO: a PyTorch module, converted; one stream, which latency asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rows import Rows

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
        x, present = torch.zeros(2, 3, width), torch.ones(2, 3, dtype=torch.bool)
        for name, example, shapes in (
            ("model", (x,), [[-1, -1, width]]),
            ("padded", (x, present), [[-1, -1, width], [-1, -1]]),
        ):
            with tracing():
                graph = openvino.convert_model(module, example_input=example, input=shapes)
            openvino.save_model(graph, folder / f"{name}.xml", compress_to_fp16=False)

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Compile it for this processor."""
        import openvino

        settings = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }

        @cache
        def compiled(name: str) -> Any:
            return openvino.Core().compile_model(folder / f"{name}.xml", "CPU", settings)

        def prepare(given: Rows) -> Run:
            request = compiled("padded" if given.padded else "model").create_infer_request()
            inputs = [given.x, given.present] if given.padded else [given.x]
            return lambda: request.infer(inputs, share_inputs=True)[0]

        return prepare
