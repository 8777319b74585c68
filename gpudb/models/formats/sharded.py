"""A checkpoint cut into several files, with an index that says what lies where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gpudb.errors import CheckpointError
from gpudb.models.files import AGAIN, read_json_object
from gpudb.models.formats.format import Format, named
from gpudb.models.formats.safetensors import read_safetensors
from gpudb.models.formats.weight import Weight


def read_sharded(index: Path, read_shard: Callable[[Path], dict[str, Weight]]) -> dict[str, Weight]:
    """The tensors of every shard named in ``index``, e.g. ``model.safetensors.index.json``.

    Raises
    ------
    CheckpointError
        The index is not one, a shard is missing or damaged, or index and shards disagree.
    """
    places = read_weight_map(index)
    weights: dict[str, Weight] = {}
    for shard in sorted(set(places.values())):
        path = index.parent / shard
        if not path.is_file():
            raise CheckpointError(
                f"{index}: names the shard {shard!r}, which is not in the folder. {AGAIN}"
            )
        _add_shard(weights, read_shard(path), path, places)
    missing = places.keys() - weights.keys()
    if missing:
        name = min(missing)
        raise CheckpointError(
            f"{index}: says that {name!r} lies in {places[name]!r}, where it is not "
            f"({len(missing)} such tensors). {AGAIN}"
        )
    return {name: weights[name] for name in places}


def read_weight_map(index: Path) -> dict[str, str]:
    """Tensor name -> file name, from an index that transformers wrote."""
    places = read_json_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointError(
            f"{index}: found no weight_map; expected an object of tensor name -> file name. {AGAIN}"
        )
    for name, shard in places.items():
        # Only a plain name: an index must not reach files outside its own folder.
        if not isinstance(shard, str) or Path(shard).name != shard or "\0" in shard:
            raise CheckpointError(
                f"{index}: puts {name!r} in {shard!r}; expected the name of a file beside the index"
            )
    return places


def _add_shard(
    weights: dict[str, Weight], found: dict[str, Weight], path: Path, places: dict[str, str]
) -> None:
    for name, weight in found.items():
        if name in weights:
            raise CheckpointError(
                f"{path}: holds {name!r}, which {weights[name].file.name} holds too; "
                f"expected each tensor once. {AGAIN}"
            )
        if places.get(name) != path.name:
            raise CheckpointError(
                f"{path}: holds {name!r}, which the index does not put there; "
                f"expected index and shards of one model. {AGAIN}"
            )
        weights[name] = weight


SHARDED_SAFETENSORS = Format(
    "sharded safetensors",
    named("model.safetensors.index.json"),
    lambda index: read_sharded(index, read_safetensors),
)
