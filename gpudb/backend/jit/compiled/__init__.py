"""What numba compiles: the SIMD vocabulary, the tile of products, and one module for each kernel.

Nothing here is imported where machine code is on disk already. ``entry`` has the functions that
Python calls, ``build`` makes one object file of them.
"""
