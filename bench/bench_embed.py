"""Texts per second from strings to vectors, gpudb beside sentence-transformers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from common import report, take_turns, texts

import gpudb
from gpudb.cli.demo import model_folder

TOLERANCE = 2e-5
"""Largest difference between two float32 runs of six layers, vectors of length one."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="20 texts, one round")
    args = parser.parse_args()
    column = texts(20 if args.tiny else args.texts)
    with gpudb.connect(device="numpy") as db:
        db.import_model(model_folder(), "minilm")
        runners: dict[str, Callable[[], object]] = {
            "gpudb numpy": lambda: db.embed("minilm", column)
        }
        ours = db.embed("minilm", column)
        if peer := sentence_transformers():
            runners["sentence-transformers"] = lambda: peer(column)
            difference = float(np.abs(ours.numpy("embedding") - peer(column)).max())
            print(f"largest difference {difference:.1e}, allowed {TOLERANCE:.0e}")
            if difference > TOLERANCE:
                sys.exit("the answers differ; timing them would mean nothing")
        else:
            print("sentence-transformers is not installed: pip install -e '.[bench]'")
        print(f"{len(column)} texts, {ours.stats.tokens} tokens, {db.threads} threads")
        seconds = take_turns(runners, rounds=1 if args.tiny else args.rounds)
        print(report(seconds, len(column), "texts", "gpudb numpy"))


def sentence_transformers() -> Callable[[list[str]], np.ndarray] | None:
    """The peer at its defaults (batches of 32, sorted by length), or None."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        return None
    model = SentenceTransformer(str(model_folder()), device="cpu")
    return lambda column: model.encode(column, batch_size=32, show_progress_bar=False)


if __name__ == "__main__":
    main()
