"""File formats of checkpoints, one reader per file; :data:`FORMATS` lists them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from types import MappingProxyType

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import file_names
from gpudb.models.formats.format import NOT_WEIGHTS, Format, OpenedWeights
from gpudb.models.formats.gguf import GGUF
from gpudb.models.formats.mxnet import MXNET
from gpudb.models.formats.npz import NPZ
from gpudb.models.formats.pytorch import PYTORCH, PYTORCH_STATE_DICT, SHARDED_PYTORCH
from gpudb.models.formats.safetensors import SAFETENSORS
from gpudb.models.formats.sharded import SHARDED_SAFETENSORS

FORMATS: tuple[Format, ...] = (
    SAFETENSORS,
    SHARDED_SAFETENSORS,
    PYTORCH,
    SHARDED_PYTORCH,
    PYTORCH_STATE_DICT,
    NPZ,
    MXNET,
    GGUF,
)
"""In order of preference: of several in one folder, the first is read."""

WEIGHT_ENDINGS = {
    ".safetensors": "safetensors",
    ".safetensors.index.json": "safetensors",
    ".bin": "PyTorch",
    ".bin.index.json": "PyTorch",
    ".pt": "PyTorch",
    ".pth": "PyTorch",
    ".ckpt": "PyTorch Lightning",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".h5": "TensorFlow",
    ".keras": "Keras",
    ".pb": "TensorFlow",
    ".tflite": "TensorFlow Lite",
    ".ckpt.index": "TensorFlow",
    ".msgpack": "Flax",
    ".onnx": "ONNX",
    ".gguf": "GGUF",
    ".npz": "NumPy",
    ".params": "MXNet",
}
"""How names of weight files end, whether gpudb reads them or not -> who writes them."""

CONVERT = "transformers can convert it: model.save_pretrained(folder, safe_serialization=True)"


def open_weights(folder: str | PathLike[str]) -> OpenedWeights:
    """The weights of a model folder, in the first of :data:`FORMATS` that is there.

    Raises
    ------
    CheckpointError
        No weights in the folder, they are damaged, or it is not clear which file is meant.
    UnsupportedError
        The folder holds weights in other formats only, or they hold what gpudb does not read.
    """
    path = Path(folder)
    names = file_names(path)
    for candidate in FORMATS:
        found = candidate.find(path, names)
        if found is not None:
            weights = candidate.read(found)
            used = {found.name, *(weight.file.name for weight in weights.values())}
            others = tuple(sorted(_weight_files(names) - used))
            return OpenedWeights(candidate.name, found, MappingProxyType(weights), others)
    raise _nothing_readable(path, names)


def _weight_files(names: frozenset[str]) -> frozenset[str]:
    return frozenset(n for n in names - NOT_WEIGHTS if n.endswith(tuple(WEIGHT_ENDINGS)))


def _nothing_readable(path: Path, names: frozenset[str]) -> CheckpointError | UnsupportedError:
    expected = f"weights in a format gpudb reads: {', '.join(f.name for f in FORMATS)}"
    files = sorted(_weight_files(names))
    foreign = [f"{name} ({_framework(name)})" for name in files if ".safetensors" not in name]
    if foreign:
        return UnsupportedError(
            f"{path}: found {', '.join(foreign)}; expected {expected}. Load it with transformers "
            f"as a PyTorch model and save it again: {CONVERT}"
        )
    found = f"only {', '.join(files)}" if files else "no weights"
    return CheckpointError(f"{path}: found {found}; expected {expected}. {CONVERT}")


def _framework(name: str) -> str:
    return WEIGHT_ENDINGS[max((e for e in WEIGHT_ENDINGS if name.endswith(e)), key=len)]
