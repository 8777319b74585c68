"""A long short-term memory layer, its steps written out."""

from __future__ import annotations

from gpudb.errors import InputError
from gpudb.layers.linear import linear
from gpudb.relation import TensorRelation


def lstm(
    x: TensorRelation,
    weight_input: TensorRelation,
    weight_hidden: TensorRelation,
    bias_input: TensorRelation,
    bias_hidden: TensorRelation,
) -> TensorRelation:
    """Hidden states of every step, from a state of zeros; PyTorch's gates and their order.

    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with the forget gate of Gers et
    al., 2000.

    Parameters
    ----------
    x
        ``(steps, batch, in)``; at least one step.
    weight_input, weight_hidden
        ``(4 · hidden, in)`` and ``(4 · hidden, hidden)``: input, forget, cell and output gate.
    bias_input, bias_hidden
        ``(4 · hidden,)`` each.

    Returns
    -------
    TensorRelation
        ``(steps, batch, hidden)``.
    """
    if x.ndim != 3 or x.shape[0] < 1 or weight_hidden.shape[0] != 4 * weight_hidden.shape[1]:
        raise InputError(
            f"lstm: x is {x.shape}, the hidden weight is {weight_hidden.shape}; expected "
            "(steps, batch, in) with at least one step, and (4 · hidden, hidden)"
        )
    steps, batch, _ = x.shape
    hidden_width = weight_hidden.shape[1]
    # What the input adds to the gates is one product for all steps.
    from_input = linear(x.merge_axes(0), weight_input, bias_input).split_axis(0, batch)
    states: list[TensorRelation] = []
    cell: TensorRelation | None = None
    for step in range(steps):
        gates = from_input[step] + bias_hidden
        if states:
            gates = gates + states[-1] @ weight_hidden.T
        enter, forget, candidate, leave = (
            gates[:, k * hidden_width : (k + 1) * hidden_width] for k in range(4)
        )
        written = enter.map("sigmoid") * candidate.map("tanh")
        cell = written if cell is None else forget.map("sigmoid") * cell + written
        states.append(leave.map("sigmoid") * cell.map("tanh"))
    rows = states[0].concat(states[1:], axis=0)
    return rows.split_axis(0, batch)
