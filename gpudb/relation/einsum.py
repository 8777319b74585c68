"""NumPy's ``einsum`` over tensors of a database: a front end that plans joins and sums."""

from __future__ import annotations

from collections import Counter

from gpudb.errors import InputError, SchemaError, UnsupportedError
from gpudb.relation.products import Labelled, product
from gpudb.relation.tensor_relation import TensorRelation


def einsum(subscripts: str, *operands: TensorRelation) -> TensorRelation:
    """Multiply where labels agree and sum over those that the output lacks.

    The order of the contractions is planned by opt_einsum (Smith and Gray, "opt_einsum - A Python
    package for optimizing contraction order for einsum-like expressions", JOSS 2018) from the
    extents alone. Each pair becomes one contraction; several labels that are summed over at once
    are merged into one axis first.

    Parameters
    ----------
    subscripts
        One letter per axis, as in ``numpy.einsum``: ``"ij,jk->ik"``. Without ``->``, the labels
        that occur once, in alphabetical order. A label may not be repeated within one operand, and
        ``...`` is not understood.
    operands
        Tensors of one database, floating-point where anything is computed.

    Returns
    -------
    TensorRelation
        Of the shape ``(1,)`` where NumPy gives a scalar.

    Raises
    ------
    InputError
        The subscripts are not of this form, or do not fit the operands.
    SchemaError
        One label stands for axes of different extents.
    UnsupportedError
        An ellipsis, or a diagonal.
    """
    from opt_einsum import contract_path  # only those who call this need it

    inputs, output = _parse(subscripts, operands)
    nodes = [operands[0].plan, *(operands[0]._node(other) for other in operands[1:])]
    uses = Counter(label for labels in inputs for label in labels)
    lone = {label for label, count in uses.items() if count == 1} - {*output}
    work = [
        Labelled(node, tuple(labels)).summed(lone)
        for node, labels in zip(nodes, inputs, strict=True)
    ]
    if len(work) > 1:
        text = f"{','.join(inputs)}->{output}"
        path, _ = contract_path(text, *(x.shape for x in operands), shapes=True)
        for pair in path:
            right, left = (work.pop(place) for place in sorted(pair, reverse=True))
            rest = {label for other in work for label in other.labels}
            work.append(product(left, right, {*output} | rest))
    return operands[0]._over(work[0].ordered(tuple(output)).node, *operands[1:])


def _parse(subscripts: object, operands: tuple[TensorRelation, ...]) -> tuple[list[str], str]:
    """Labels of each operand, and of the output."""
    if not isinstance(subscripts, str) or not operands:
        raise InputError(
            f"einsum: found {subscripts!r:.100} and {len(operands)} operands; expected text such "
            "as 'ij,jk->ik', then a tensor for each part"
        )
    text = "".join(subscripts.split())
    if "." in text:
        raise UnsupportedError(f"einsum: {subscripts!r} has an ellipsis; write a letter per axis")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    letters = [c for c in "".join(inputs) + output if not (c.isascii() and c.isalpha())]
    if letters:
        raise InputError(
            f"einsum: found {letters[0]!r} in {subscripts!r}; expected letters, commas and one ->"
        )
    if len(inputs) != len(operands):
        raise InputError(
            f"einsum: {subscripts!r} has {len(inputs)} parts for {len(operands)} operands; "
            "expected one part per operand, separated by commas"
        )
    if not arrow:
        counts = Counter(left.replace(",", ""))
        output = "".join(sorted(label for label, count in counts.items() if count == 1))
    _check(inputs, output, operands)
    return inputs, output


def _check(inputs: list[str], output: str, operands: tuple[TensorRelation, ...]) -> None:
    extents: dict[str, tuple[int, str]] = {}
    for labels, operand in zip(inputs, operands, strict=True):
        if not isinstance(operand, TensorRelation):
            raise InputError(
                f"einsum: found {type(operand).__name__}; expected a tensor of the database: "
                "store it with create_tensor"
            )
        s = operand.schema
        if len(labels) != s.ndim:
            raise InputError(
                f"einsum: {labels!r} labels {len(labels)} axes, {s.name} ({s}) has {s.ndim}"
            )
        for label, extent in zip(labels, operand.shape, strict=True):
            if labels.count(label) > 1:
                raise UnsupportedError(
                    f"einsum: {labels!r} repeats {label!r}, which would take a diagonal of "
                    f"{s.name} ({s}); use a label once per operand, or multiply by an identity"
                )
            known, name = extents.setdefault(label, (extent, s.name))
            if known != extent:
                raise SchemaError(
                    f"einsum: label {label!r} is {known} long in {name} and {extent} in {s.name} "
                    f"({s}); axes of one label must be equally long"
                )
    for label in output:
        if label not in extents or output.count(label) > 1:
            raise InputError(
                f"einsum: the output {output!r} must name labels of the operands, each once; "
                f"found {label!r}"
            )
