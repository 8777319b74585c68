"""The weights of a model folder, whatever format they are in; :data:`FORMATS` lists those known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from types import MappingProxyType

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import file_names
from gpudb.models.formats.flax_msgpack import FLAX_MSGPACK
from gpudb.models.formats.format import NOT_WEIGHTS, Format, OpenedWeights
from gpudb.models.formats.gguf import GGUF
from gpudb.models.formats.hdf5 import HDF5, SHARDED_HDF5
from gpudb.models.formats.mxnet import MXNET
from gpudb.models.formats.npz import NPZ
from gpudb.models.formats.onnx import ONNX
from gpudb.models.formats.orbax import ORBAX
from gpudb.models.formats.pytorch import PYTORCH, PYTORCH_STATE_DICT, SHARDED_PYTORCH
from gpudb.models.formats.safetensors import SAFETENSORS
from gpudb.models.formats.sharded import SHARDED_SAFETENSORS
from gpudb.models.formats.tensorflow_checkpoint import TENSORFLOW_CHECKPOINT

FORMATS: tuple[Format, ...] = (
    SAFETENSORS,
    SHARDED_SAFETENSORS,
    PYTORCH,
    SHARDED_PYTORCH,
    PYTORCH_STATE_DICT,
    HDF5,
    SHARDED_HDF5,
    TENSORFLOW_CHECKPOINT,
    FLAX_MSGPACK,
    ORBAX,
    ONNX,
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
    for number, form in enumerate(FORMATS):
        place = form.find(path, names)
        if place is not None:
            weights = form.read(place)
            used = {place, *(weight.file for weight in weights.values())}
            used |= {path / name for name in form.beside}
            others = {path / name for name in _weight_files(names)}
            others |= set(_found(FORMATS[number + 1 :], path, names))
            unread = sorted(str(other.relative_to(path)) for other in others - used)
            file = str(place.relative_to(path))
            return OpenedWeights(form.name, file, MappingProxyType(weights), tuple(unread))
    raise _nothing_readable(path, names)


def _found(formats: Sequence[Format], path: Path, names: frozenset[str]) -> Iterator[Path]:
    """What lies there in these formats; where it is not clear which file is meant, none."""
    for form in formats:
        with suppress(CheckpointError):
            if (place := form.find(path, names)) is not None:
                yield place


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
