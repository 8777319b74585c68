"""NVIDIA GPUs: CuPy arrays, cuBLAS products, our own kernels, cuDF tables.

This folder is the only importer of CuPy, cuDF, pylibcudf and RMM.
"""
