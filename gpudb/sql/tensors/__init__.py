"""SQL over tensors: every tensor is a table of its blocks, key columns beside ``block``.

``binder`` makes a plan of a SELECT, ``statements`` knows CREATE TENSOR and its kin, ``mixed`` hands
DuckDB the blocks that an ordinary statement reads.
"""
