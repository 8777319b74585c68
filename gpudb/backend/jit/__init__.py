"""The CPU by generated code: products and kernels that numba compiles for this machine.

From the bottom: ``target`` is what the processor has, ``compiled`` how functions are compiled and
kept on disk, ``llvm``, ``vectors``, ``functions`` and ``lanes`` the SIMD vocabulary, ``tile`` the
product that everything is made of,
``products`` and ``kernels/`` what backends call, ``packing`` how weights lie.
"""
