"""Kernels of :mod:`gpudb.kernels` as compiled functions, one per file; ``table`` lists them."""
