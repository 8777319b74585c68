"""ONNX Runtime: its optimised graph for transformers, batches sorted by length."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from peers.batches import open_tokenizer, padded, sorted_batches, tokenize
from peers.peer import Prepare, Run
from peers.sentence_module import NAMES, sentence_module, tracing

BATCH_TEXTS, BATCH_TOKENS = 32, 4096


@dataclass(frozen=True)
class OnnxRuntime:
    """A model of texts; ``int8`` is dynamic quantisation, a scale for each column of a weight."""

    precision: str = "float32"
    packages = ("onnxruntime", "onnx", "torch", "transformers", "sympy")

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"ONNX Runtime {self.precision}"

    @property
    def files(self) -> str:
        """A folder for each precision."""
        return f"onnxruntime-{self.precision}"

    def convert(self, model: Path, folder: Path) -> None:
        """From PyTorch, with attention written out: the optimiser looks for that."""
        import torch
        from onnxruntime.transformers.optimizer import optimize_model

        module, example = sentence_module(model, "eager")
        exported, path = folder / "exported.onnx", folder / "model.onnx"
        with tracing():
            torch.onnx.export(
                module,
                example,
                exported,
                input_names=list(NAMES),
                output_names=["vectors"],
                dynamic_axes={**{name: {0: "b", 1: "s"} for name in NAMES}, "vectors": {0: "b"}},
                opset_version=17,
                dynamo=False,
            )
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        heads, width = config["num_attention_heads"], config["hidden_size"]
        optimize_model(
            str(exported), "bert", num_heads=heads, hidden_size=width
        ).save_model_to_file(str(path))
        exported.unlink()
        if self.precision == "int8":
            quantize(path)

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Open a session."""
        session = open_session(folder / "model.onnx", threads)
        tokenizer = open_tokenizer(model)

        def prepare(texts: list[str]) -> Run:
            def run() -> np.ndarray:
                ids = tokenize(tokenizer, texts)
                vectors: dict[int, np.ndarray] = {}
                for rows in sorted_batches(ids, BATCH_TEXTS, BATCH_TOKENS):
                    (batch,) = session.run(None, dict(zip(NAMES, padded(ids, rows), strict=True)))
                    vectors.update(zip(rows, batch, strict=True))
                return np.stack([vectors[row] for row in range(len(texts))])

            return run

        return prepare


def quantize(path: Path) -> None:
    """Replace a graph by one with int8 products."""
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    # Types behind the optimiser's own operators are unknown to ONNX; here all are float32.
    options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(path, path, per_channel=True, extra_options=options)


def open_session(path: Path, threads: int) -> Any:
    """A session on so many threads, with every optimisation."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
