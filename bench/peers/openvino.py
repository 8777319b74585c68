"""OpenVINO: batches sorted by length, by default as many streams as threads, each of one thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peers.batches import open_tokenizer, padded, sorted_batches, tokenize
from peers.peer import Prepare, Run
from peers.sentence_module import NAMES, sentence_module, tracing

BATCH_TEXTS, BATCH_TOKENS = 32, 4096


@dataclass(frozen=True)
class OpenVino:
    """A model of texts; ``precision`` is what products round their factors to."""

    precision: str = "float32"
    streams: int = 0
    """0 for as many as threads; 1 is what one text at a time asks for."""
    packages = ("openvino", "torch", "transformers")
    files = "openvino"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"OpenVINO {self.precision}" + (f", {self.streams} stream" if self.streams else "")

    def convert(self, model: Path, folder: Path) -> None:
        """From PyTorch, with its fused attention."""
        import openvino

        module, (ids, mask) = sentence_module(model, "sdpa")
        with tracing():
            graph = openvino.convert_model(
                module, example_input=dict(zip(NAMES, (ids, mask), strict=True))
            )
        openvino.save_model(graph, folder / "model.xml", compress_to_fp16=False)

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Compile it for this processor."""
        import openvino

        hint = {"float32": "f32", "bfloat16": "bf16"}[self.precision]
        settings = {
            "NUM_STREAMS": self.streams or threads,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": hint,
        }
        compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", settings)
        width = compiled.output(0).partial_shape[1].get_length()
        queue = openvino.AsyncInferQueue(compiled, 2 * threads)
        tokenizer = open_tokenizer(model)

        def prepare(texts: list[str]) -> Run:
            def run() -> np.ndarray:
                ids = tokenize(tokenizer, texts)
                vectors = np.empty((len(texts), width), np.float32)

                def keep(request: openvino.InferRequest, rows: np.ndarray) -> None:
                    vectors[rows] = request.get_output_tensor().data

                queue.set_callback(keep)
                for rows in sorted_batches(ids, BATCH_TEXTS, BATCH_TOKENS):
                    queue.start_async(dict(zip(NAMES, padded(ids, rows), strict=True)), rows)
                queue.wait_all()
                return vectors

            return run

        return prepare
