"""sentence-transformers' module ``Dense``, as it lies in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import whole_number
from gpudb.models.dense import BIAS, WEIGHT, Dense
from gpudb.models.files import read_json_object
from gpudb.models.formats.opening import open_weights
from gpudb.models.weight_dtypes import WEIGHT_DTYPES

ACTIVATIONS: Mapping[str, str | None] = {
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.SiLU": "silu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.linear.Identity": None,
}
"""Class in a module's config -> function of the plan."""

DEFAULTS = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
    "use_residual": False,
}
"""Settings that change what is computed, and the only value gpudb computes."""


def read_dense(folder: Path, number: int) -> Dense:
    """Read the folder of a module, the ``number``-th of a model.

    Raises
    ------
    CheckpointError
        Its files are damaged, or contradict each other.
    UnsupportedError
        A setting that gpudb does not compute.
    """
    file = folder / "config.json"
    config = read_json_object(file)
    for key, default in DEFAULTS.items():
        if config.get(key, default) != default:
            raise UnsupportedError(
                f"{file}: {key} is {config[key]!r}; gpudb computes only {default!r}"
            )
    fn = config.get("activation_function")
    if not isinstance(fn, str) or fn not in ACTIVATIONS:
        raise UnsupportedError(
            f"{file}: activation_function is {fn!r}; gpudb computes one of {', '.join(ACTIVATIONS)}"
        )
    inputs, outputs = whole_number(config, "in_features"), whole_number(config, "out_features")
    weights = open_weights(folder).weights
    expected: dict[str, tuple[int, ...]] = {WEIGHT: (outputs, inputs)}
    if config.get("bias", True):
        expected[BIAS] = (outputs,)
    found = {name: weight.shape for name, weight in weights.items()}
    if found != expected:
        raise CheckpointError(
            f"{folder}: found the weights {found}; expected {expected}, as its config.json says"
        )
    kinds = {name: weight.dtype for name, weight in weights.items()}
    if not set(kinds.values()) <= set(WEIGHT_DTYPES):
        raise CheckpointError(
            f"{folder}: found the dtypes {kinds}; expected each to be one of "
            f"{', '.join(WEIGHT_DTYPES)}"
        )
    name = f"dense.{number}."
    return Dense(
        name, inputs, outputs, ACTIVATIONS[fn], {f"{name}{n}": w for n, w in weights.items()}
    )
