"""Tables that every SQL test reads, in gpudb and in plain DuckDB."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.sql.oracle import Pair, open_pair

TEXTS = ["the cat", "a dog", None, "the cat", "", "naïve 🦆 'q\"", "the dog", "a  b"]
REVIEWS = pa.table(
    {
        "id": pa.array(range(1, 9), pa.int64()),
        "stars": pa.array([5, 4, 3, 5, 1, None, 4, 2], pa.int32()),
        "text": TEXTS,
        "shop": ["x", "y", "x", "y", "x", "y", "x", None],
    }
)
TABLES = {
    "reviews": REVIEWS,
    "shops": pa.table(
        {
            "shop": ["x", "y", "z"],
            "city": ["Ulm", "Bonn", None],
            "text": ["the cat", "shop y", None],
        }
    ),
    "empty": REVIEWS.select(["id", "text"]).slice(0, 0),
    "Odd one": pa.table(
        {
            'Wei"rd col': ["the cat", "a dog"],
            "select": [1, 2],
            "ÜbEr": ["x", "y"],
            "vector_1": [7, 8],
            "column_1": ["p", "q"],
            "star_0": [0, 1],
        }
    ),
}
SPELLED_OUT = [
    *"abpqxyz",
    *(str(i) for i in range(11)),
    *("light", "none", "it's", "--", "/* c */", "a;b", "embed('tiny', 'a')", "shop y"),
    *("Ulm", "Bonn", "the cat x", "a dog y"),
]
KNOWN = {*(t for t in TEXTS if t is not None), *SPELLED_OUT}
KNOWN |= {t.upper() for t in KNOWN} | {t.strip() for t in KNOWN} | {t[:3] for t in KNOWN}
KNOWN |= {word for t in KNOWN for word in t.split(" ")}


def _opened() -> Iterator[Pair]:
    pair, store = open_pair(TABLES, KNOWN)
    yield pair
    pair.close()
    store.close()


# One that tests only read from, and one that a test may change.
shared_pair = pytest.fixture(_opened, scope="session", name="pair")
own_pair = pytest.fixture(_opened, name="own")
