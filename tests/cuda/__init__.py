"""Proofs of CUDA code on a machine without a GPU (``make gpu-check``).

Every kernel is compiled with NVRTC as CuPy would compile it. The PTX runs on the CPU (``ptx``)
through the launch code that runs in production, and is compared with the kernel's reference.
Registers and shared memory are read from machine code for seven architectures.

This proves results, indexing, synchronisation and launches. It proves nothing about speed, about
the order in which weak memory shows writes, or about the last bits of approximate instructions.
"""
