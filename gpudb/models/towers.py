"""Checkpoints of two encoders, which are called towers: CLIP. A model is one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gpudb.errors import CheckpointError, InputError
from gpudb.models.architecture import Config
from gpudb.models.checkpoint import Checkpoint
from gpudb.models.names import torch_weights

BOTH = "clip"
"""``model_type`` of a checkpoint with two towers."""


@dataclass(frozen=True, slots=True)
class Tower:
    """One of them."""

    model_type: str
    """In the config of a checkpoint that has it alone."""
    section: str
    """Key of its config in that of both."""
    projection: str
    """The weight that a checkpoint may lack; ``projection_dim`` then means nothing."""
    defaults: Config
    """transformers leaves these out of the configs of both."""


_DEFAULTS: Config = {
    "projection_dim": 512,
    "num_hidden_layers": 12,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
TOWERS: Mapping[str, Tower] = {
    "text": Tower(
        "clip_text_model",
        "text_config",
        "text_projection.weight",
        {
            **_DEFAULTS,
            "vocab_size": 49408,
            "hidden_size": 512,
            "intermediate_size": 2048,
            "num_attention_heads": 8,
            "max_position_embeddings": 77,
        },
    ),
    "image": Tower(
        "clip_vision_model",
        "vision_config",
        "visual_projection.weight",
        {
            **_DEFAULTS,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_attention_heads": 12,
            "num_channels": 3,
            "image_size": 224,
            "patch_size": 32,
        },
    ),
}
"""By what a caller names them."""


def one_tower(checkpoint: Checkpoint, name: str | None) -> Checkpoint:
    """The checkpoint with the config of one encoder; architectures pass over the other's weights.

    Parameters
    ----------
    checkpoint
        Of any kind.
    name
        One of :data:`TOWERS`, for a checkpoint that has two; None for others.

    Raises
    ------
    InputError
        There is no tower of this name, one must be named, or there is nothing to choose.
    CheckpointError
        The config has no part for it.
    """
    if name is not None and name not in TOWERS:
        raise InputError(f"tower is {name!r:.80}; expected 'text' or 'image', or None")
    folder, config = checkpoint.folder, checkpoint.config
    kind = config.get("model_type")
    if kind == BOTH:
        if name is None:
            raise InputError(
                f"{folder}: the checkpoint has two towers, and a model is one of them; import each "
                "under a name of its own: import_model(folder, name, tower='text') and "
                "import_model(folder, name, tower='image')"
            )
        return _with_config(checkpoint, TOWERS[name], _of_both(checkpoint, TOWERS[name]))
    if name is not None:
        raise InputError(
            f"tower is {name!r}, but {folder} has a single encoder (model_type is {kind!r}); leave "
            "tower out"
        )
    alone = next((tower for tower in TOWERS.values() if tower.model_type == kind), None)
    return checkpoint if alone is None else _with_config(checkpoint, alone, config)


def _of_both(checkpoint: Checkpoint, tower: Tower) -> Config:
    """The config of one tower; the older of two keys wins, as in transformers."""
    both, older = checkpoint.config, f"{tower.section}_dict"
    key = tower.section if both.get(older) is None else older
    section = both.get(key)
    if not isinstance(section, dict):
        raise CheckpointError(
            f"{checkpoint.folder}: {key} in config.json is {section!r:.80}; expected an object "
            "with the sizes of the tower"
        )
    return {**section, "projection_dim": both.get("projection_dim", _DEFAULTS["projection_dim"])}


def _with_config(checkpoint: Checkpoint, tower: Tower, config: Config) -> Checkpoint:
    full = {**tower.defaults, **config, "model_type": tower.model_type}
    if tower.projection not in {name for name, _ in torch_weights(checkpoint.weights)}:
        del full["projection_dim"]
    return replace(checkpoint, config=full)
