"""Runtimes that a benchmark compares, each behind the same three calls.

One file per runtime. Each runs in a process of its own (``worker.py``), so that no thread pool, no
memory and no setting of one runtime touches another.
"""
