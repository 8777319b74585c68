"""File formats of checkpoints, one reader per file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from types import MappingProxyType

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import file_names
from gpudb.models.formats.flax_msgpack import FLAX_MSGPACK
from gpudb.models.formats.format import Format, OpenedWeights
from gpudb.models.formats.hdf5 import HDF5, SHARDED_HDF5
from gpudb.models.formats.orbax import ORBAX
from gpudb.models.formats.safetensors import SAFETENSORS
from gpudb.models.formats.sharded import SHARDED_SAFETENSORS
from gpudb.models.formats.tensorflow_checkpoint import TENSORFLOW_CHECKPOINT

FORMATS: tuple[Format, ...] = (
    SAFETENSORS,
    SHARDED_SAFETENSORS,
    HDF5,
    SHARDED_HDF5,
    TENSORFLOW_CHECKPOINT,
    FLAX_MSGPACK,
    ORBAX,
)
"""In order of preference: of several in a folder, the first is read."""

READABLE = "model.safetensors, or another of the formats in docs/formats.md"

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


def open_weights(folder: str | PathLike[str]) -> OpenedWeights:
    """The weights of a model folder, in the first format of :data:`FORMATS` that is there.

    Raises
    ------
    CheckpointError
        No weights in the folder, or its files are damaged.
    UnsupportedError
        The folder holds weights in other formats only. Pickle is never read: it can run code.
    """
    path = Path(folder)
    names = file_names(path)
    places = [(form, form.find(path, names)) for form in FORMATS]
    found = [(form, place) for form, place in places if place is not None]
    if not found:
        raise _nothing_readable(path, names)
    (form, place), *others = found
    unread = tuple(str(other.relative_to(path)) for _, other in others)
    return OpenedWeights(form.name, place, MappingProxyType(form.read(place)), unread)


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
