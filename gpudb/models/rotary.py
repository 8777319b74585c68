"""What encoders with rotary positions share: their attention, and what their configs say of it."""

from __future__ import annotations

from collections.abc import Mapping

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import Config, head_count, positive_number, token_input
from gpudb.models.attention import self_attention
from gpudb.plan.node import Node
from gpudb.plan.sequence import Rotary
from gpudb.plan.tensor import Columns

POSITIONS = token_input("position_ids")
"""Each token's place in its sequence."""


def rotary_attention(
    merged: Node,
    heads: int,
    base: float,
    dropout: float,
    *,
    part: int | None = None,
    interleaved: bool = False,
    relative: Node | None = None,
) -> Node:
    """Self-attention whose queries and keys are turned by their positions.

    Parameters
    ----------
    merged
        ``(tokens, 3·width)``: query, key and value beside each other.
    heads
        Of each of them.
    base, part, interleaved
        As in :class:`gpudb.plan.sequence.Rotary`; without ``part`` whole heads are turned.
    dropout, relative
        As in :func:`gpudb.models.attention.self_attention`.
    """
    columns = merged.schema.shape[1]
    assert isinstance(columns, int)  # the rows of a stored weight
    width = columns // 3
    # Query and key are one matrix of twice the heads: one step turns both.
    both = Columns(merged, 0, 2 * width)
    turned = Rotary(both, POSITIONS, 2 * heads, base, part or width // heads, interleaved)
    query, key = Columns(turned, 0, width), Columns(turned, width, 2 * width)
    value = Columns(merged, 2 * width, 3 * width)
    return self_attention(query, key, value, heads, dropout, relative=relative)


def rotary_heads(config: Config, key: str, width: int) -> int:
    """The number of heads, which must be of an even width."""
    heads = head_count(config, key, width)
    if width // heads % 2:
        raise CheckpointError(
            f"config.json: {key} is {heads}, so heads are {width // heads} wide; rotary positions "
            "turn pairs of columns, so their width must be even"
        )
    return heads


def rotary_base(config: Config, key: str, default: float, kind: str | None = None) -> float:
    """The base of rotary positions, also called theta.

    Parameters
    ----------
    config
        Says it in ``rope_parameters``, or as older ones do under ``key``.
    key
        Its older name.
    default
        Where neither is there.
    kind
        Which of several ``rope_parameters``, where layers differ.

    Raises
    ------
    UnsupportedError
        Positions are scaled in some way.
    CheckpointError
        It is no number above zero.
    """
    name = "rope_parameters" if "rope_parameters" in config else "rope_scaling"
    parameters = _section(config, name)
    if kind is not None and (kind in parameters or "rope_theta" not in parameters):
        parameters, name = _section(parameters, kind), f"{name}.{kind}"
    scaling = parameters.get("rope_type", parameters.get("type", "default"))
    if scaling != "default":
        raise UnsupportedError(
            f"config.json: {name} scales positions ({scaling!r}); gpudb computes 'default' only: "
            "use a checkpoint whose positions are not scaled"
        )
    if parameters.get("rope_theta") is not None:
        return positive_number(parameters, "rope_theta", default)
    return positive_number(config, key, default)


def _section(config: Config, key: str) -> Config:
    """A part of a config; empty where it is not there."""
    found = config.get(key) or {}
    if not isinstance(found, Mapping):
        raise CheckpointError(f"config.json: {key} is {found!r}; expected names with values")
    return found
