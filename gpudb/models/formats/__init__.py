"""File formats of checkpoints, one reader per file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import file_names
from gpudb.models.formats.safetensors import read_safetensors
from gpudb.models.formats.sharded import read_sharded
from gpudb.models.formats.weight import Weight

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
READABLE = f"{SINGLE}, or {INDEX} with its shards"

PICKLE_ENDINGS = (".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
NOT_WEIGHTS = frozenset({"training_args.bin"})
FOREIGN_ENDINGS = {
    ".h5": "TensorFlow",
    ".keras": "Keras",
    ".pb": "TensorFlow",
    ".tflite": "TensorFlow Lite",
    ".ckpt.index": "TensorFlow",
    ".msgpack": "Flax",
    ".onnx": "ONNX",
    ".gguf": "GGUF",
}
CONVERT = "transformers can convert it: model.save_pretrained(folder, safe_serialization=True)"


def open_weights(folder: str | PathLike[str]) -> dict[str, Weight]:
    """The weights of a model folder, memory-mapped; other formats beside safetensors are ignored.

    Raises
    ------
    CheckpointError
        No weights in the folder, or its safetensors files are damaged.
    UnsupportedError
        The folder holds weights in other formats only. Pickle is never read: it can run code.
    """
    path = Path(folder)
    names = file_names(path)
    if SINGLE in names:
        return read_safetensors(path / SINGLE)
    if INDEX in names:
        return read_sharded(path / INDEX)
    raise _nothing_readable(path, names)


def _nothing_readable(path: Path, names: frozenset[str]) -> CheckpointError | UnsupportedError:
    for name in sorted(names - NOT_WEIGHTS):
        if name.endswith(PICKLE_ENDINGS):
            return UnsupportedError(
                f"{path}: found {name}, a pickle, which can run any code when it is read and is "
                f"never read by gpudb; expected {READABLE}. {CONVERT}"
            )
    for name in sorted(names):
        for ending, framework in FOREIGN_ENDINGS.items():
            if name.endswith(ending):
                return UnsupportedError(
                    f"{path}: found {name} ({framework}); gpudb reads {READABLE}. Load it with "
                    f"transformers as a PyTorch model and save it again: {CONVERT}"
                )
    others = sorted(name for name in names if name.endswith(".safetensors"))
    found = f"only {', '.join(others)}" if others else "no weights"
    return CheckpointError(f"{path}: found {found}; expected {READABLE}. {CONVERT}")
