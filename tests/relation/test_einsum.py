"""``einsum`` against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb import einsum
from gpudb.errors import InputError, SchemaError, UnsupportedError
from gpudb.plan.relational import Contract
from tests.relation.expressions import ArrayEngine, check
from tests.tiny_plans import kinds, nodes_of

EXTENTS = {"a": 1, "b": 2, "i": 3, "j": 4, "k": 5, "l": 2, "m": 6, "z": 0, "K": 3}

CASES = [
    "ij,jk->ik",
    "ij,kj->ik",
    "ji,jk->ik",
    "ij,jk",
    "ij , jk -> ki",
    "i,i->",
    "i,i",
    "i,j->ij",
    "i,j->ji",
    "ij->ji",
    "ij->ij",
    "ba",
    "ij->",
    "ij->j",
    "ij,ij->ij",
    "ij,ji->ij",
    "ij,ij->",
    "ij,ji->",
    "ij,ij->i",
    "bij,bjk->bik",
    "bij,bkj->bik",
    "ijk,jkl->il",
    "ijk,kjl->il",
    "ijkl,klm->ijm",
    "ijkl,lkm->mji",
    "mjik,kbj->imb",
    "ijk,ijk->",
    "ijk,ljk->il",
    "ijk,lm->im",
    "i,ij,j->",
    "i,ij,j",
    "ij,jk,kl,lm->im",
    "ij,jk,ki->",
    "i,j,k->ijk",
    "i,j,ij->ij",
    "ij,a->ij",
    "a,ij,a->ji",
    "iK,Kj->ij",
    "Ki,jK",
    "zi,ij->zj",
    "iz,zj->ij",
    "izj,zjk->ik",
    "z,i->i",
]


def operands(engine, subscripts, block):
    parts = subscripts.replace(" ", "").partition("->")[0].split(",")
    return [
        engine.random(
            f"x{n}", tuple(EXTENTS[label] for label in labels), block and (block,) * len(labels), n
        )
        for n, labels in enumerate(parts)
    ]


@pytest.mark.parametrize("subscripts", CASES)
@pytest.mark.parametrize("block", [None, 1, 2, 9])
def test_as_in_numpy(subscripts, block):
    engine = ArrayEngine()
    made = operands(engine, subscripts, block)
    arrays = [engine[f"x{n}"] for n in range(len(made))]
    # Up to 5 products of normal numbers, summed over up to 360 terms.
    check(einsum(subscripts, *made), np.einsum(subscripts, *arrays), 1e-11)


@settings(max_examples=200)
@given(data=st.data())
def test_random_subscripts(data):
    extents = {label: data.draw(st.integers(0, 4)) for label in "abcde"}
    parts = data.draw(
        st.lists(
            st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True),
            min_size=1,
            max_size=4,
        )
    )
    used = sorted({label for part in parts for label in part})
    output = data.draw(st.permutations(used))[: data.draw(st.integers(0, len(used)))]
    text = ",".join("".join(part) for part in parts) + "->" + "".join(output)
    engine = ArrayEngine()
    made = [
        engine.random(
            f"x{n}",
            tuple(extents[label] for label in part),
            tuple(data.draw(st.integers(1, 5)) for _ in part),
            n,
        )
        for n, part in enumerate(parts)
    ]
    arrays = [engine[f"x{n}"] for n in range(len(made))]
    check(einsum(text, *made), np.einsum(text, *arrays), 1e-11)


def test_the_order_of_contractions_is_planned():
    engine = ArrayEngine()
    a, b = engine.random("a", (50, 2)), engine.random("b", (2, 50))
    c = engine.random("c", (50, 1))
    plan = einsum("ij,jk,kl->il", a, b, c).plan
    inner = {node.schema.shape for node in plan.children}
    assert (2, 1) in inner  # b @ c first: 50 · 50 elements are never made
    assert kinds(plan).count("Matmul") == 2


def test_several_summed_labels_are_one_contraction_over_blocks_as_large_as_before():
    engine = ArrayEngine()
    a = engine.random("a", (8, 6, 4), (2, 3, 2))
    b = engine.random("b", (6, 4, 5), (6, 4, 5))
    plan = einsum("ijk,jkl->il", a, b).plan
    assert kinds(plan) == ["Scan", "Reblock", "MergeAxes", "Scan", "MergeAxes", "Matmul"]
    left = next(node for node in nodes_of(plan, type(plan))).left
    assert (left.schema.shape, left.schema.block) == ((8, 24), (2, 4))


def test_batch_axes_stay_in_one_contraction():
    engine = ArrayEngine()
    q, k = engine.random("q", (4, 3, 5)), engine.random("k", (6, 3, 5))
    plan = einsum("qhd,khd->hqk", q, k).plan
    (node,) = nodes_of(plan, Contract)
    assert (node.on, node.contracted) == (((1, 1), (2, 2)), (2, 2))


@pytest.mark.parametrize(
    ("subscripts", "shapes", "kind", "message"),
    [
        ("ii->i", [(3, 3)], UnsupportedError, "repeats 'i'.*diagonal"),
        ("...i->i", [(3, 3)], UnsupportedError, "ellipsis"),
        ("ij,jk->ik", [(3, 3)], InputError, "2 parts for 1 operands"),
        ("ij->i", [(3,)], InputError, "labels 2 axes, x0 .* has 1"),
        ("ij,jk->ik", [(3, 4), (5, 2)], SchemaError, "label 'j' is 4 long in x0 and 5 in x1"),
        ("ij->k", [(3, 4)], InputError, "output 'k'.*found 'k'"),
        ("ij->ii", [(3, 4)], InputError, "found 'i'"),
        ("i1->i", [(3, 4)], InputError, "found '1'"),
        ("ij->i->j", [(3, 4)], InputError, "found '-'"),
        ("ij,jk->ik", [], InputError, "0 operands"),
        ("", [(3,)], InputError, "labels 0 axes"),
        (3, [(3,)], InputError, "expected text"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(subscripts, shapes, kind, message):
    engine = ArrayEngine()
    made = [engine.random(f"x{n}", shape) for n, shape in enumerate(shapes)]
    with pytest.raises(kind, match=message):
        einsum(subscripts, *made)


def test_operands_are_tensors_of_one_database():
    a = ArrayEngine().random("a", (3,))
    with pytest.raises(InputError, match="found ndarray"):
        einsum("i,i->", a, np.ones(3))
    with pytest.raises(InputError, match="found ndarray"):
        einsum("i,i->", np.ones(3), a)
    with pytest.raises(InputError, match="two different databases"):
        einsum("i,i->", a, ArrayEngine().random("b", (3,)))
