"""Weights of Flax as msgpack and orbax write them, against Flax's own hidden states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.types import HostArray
from tests.oracles.conftest import Report
from tests.oracles.imported import CONFIG, LARGEST, largest_difference, write_config

# The frameworks warn while they are imported.
pytestmark = [pytest.mark.formats, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def model() -> Any:
    """A random BERT of transformers in Flax."""
    jax = pytest.importorskip("jax")
    transformers = pytest.importorskip("transformers")
    model = transformers.FlaxBertModel(transformers.BertConfig(**CONFIG), seed=7)
    rng = np.random.default_rng(7)  # zeros and ones would hide a mistake
    model.params = jax.tree.map(
        lambda x: x + rng.normal(0, 0.2, x.shape).astype(x.dtype), model.params
    )
    return model


def hidden_states(model: Any) -> Callable[[HostArray, HostArray], HostArray]:
    def hidden(ids: HostArray, types: HostArray) -> HostArray:
        return np.asarray(model(input_ids=ids, token_type_ids=types).last_hidden_state)

    return hidden


def encoder_weights(model: Any) -> dict[str, HostArray]:
    """PyTorch's names and layout, written out by hand for this one architecture."""
    from flax.traverse_util import flatten_dict

    found = {}
    for path, value in flatten_dict(model.params).items():
        kinds = {"kernel": "weight", "embedding": "weight", "scale": "weight"}
        values = np.asarray(value)
        if path[0] != "pooler":
            name = ".".join([*path[:-1], kinds.get(path[-1], path[-1])])
            found[name] = values.T if path[-1] == "kernel" else values
    return found


def write_msgpack(model: Any, folder: Path) -> None:
    model.save_pretrained(folder)


def write_safetensors(model: Any, folder: Path) -> None:
    model.save_pretrained(folder, safe_serialization=True)


def write_orbax(model: Any, folder: Path) -> None:
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(write_config(folder) / "weights", {"params": model.params})


def write_orbax_folders(model: Any, folder: Path) -> None:
    import orbax.checkpoint as ocp

    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)) as checkpointer:
        checkpointer.save(write_config(folder) / "weights", model.params)


def write_orbax_manager(model: Any, folder: Path) -> None:
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(write_config(folder)) as manager:
        manager.save(3, args=ocp.args.StandardSave({"params": model.params, "step": np.array(3)}))


@pytest.mark.parametrize(
    ("write", "format_name"),
    [
        (write_msgpack, "Flax msgpack"),
        (write_safetensors, "safetensors"),
        (write_orbax, "orbax"),
        (write_orbax_folders, "orbax"),
        (write_orbax_manager, "orbax"),
    ],
)
def test_hidden_states_are_those_of_flax(
    write: Callable[[Any, Path], None],
    format_name: str,
    model: Any,
    tmp_path: Path,
    report: Report,
) -> None:
    write(model, tmp_path / "model")
    difference = largest_difference(
        tmp_path / "model", encoder_weights(model), hidden_states(model), format_name
    )
    report(f"{difference:.2e}")
    assert difference <= LARGEST
