"""CuPy without a GPU, stricter than the real one: :func:`tests.cuda.standin.install.standin`.

Arrays lie in host memory but refuse to be NumPy arrays; kernels are compiled by NVRTC and run by
whatever engine is handed in; cuBLAS is worked out with NumPy from raw addresses, bounds checked.
Names and arguments are compared with those of the CuPy that is installed.

Work runs at once, in the order in which it was asked for. What two streams do with the same memory
must be ordered by events or by the host all the same: ``order.py`` keeps count.
"""
