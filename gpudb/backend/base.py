"""The verbs a device must know. Everything above speaks only these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from gpudb.kernels import Kernel
from gpudb.types import HostArray

Array: TypeAlias = Any
"""An array of the device: ``numpy.ndarray``, later ``cupy.ndarray``. Slicing and ``reshape`` make
views; everything else goes through a backend."""


class Repeats(Protocol):
    """Runs one function over batch after batch."""

    def __call__(
        self, run: Callable[[Mapping[str, Array]], Array], inputs: Mapping[str, HostArray]
    ) -> HostArray | None:
        """The result ``(n, width)`` of a batch; None where it has to be run as usual.

        ``run`` is the function, ``(1, n, width)`` of inputs on the device: it is called for a batch
        whose operators are noted down, and need not be for the others.
        """


class Backend(Protocol):
    """A device: moves arrays, multiplies them, runs kernels."""

    @property
    def name(self) -> str:
        """What EXPLAIN and statistics call it."""

    @property
    def computes(self) -> bool:
        """False where arrays have shapes but no numbers."""

    def to_device(self, x: HostArray) -> Array:
        """Host array -> device array; no copy where the two share memory."""

    def upload(self, inputs: Mapping[str, HostArray], offsets: str) -> Mapping[str, Array]:
        """Packed sequences: the inputs of one run, to the device, under their names.

        ``inputs[offsets]``, ``(s + 1,)``, says where each of the sequences begins in the others,
        ``(t,)``; rows beyond its last number belong to no sequence. No copy where device and host
        share memory.
        """

    def to_host(self, x: Array) -> HostArray:
        """Device array -> host array; no copy where the two share memory."""

    def widen(self, x: Array, dtype: str) -> Array:
        """Stored elements of logical ``dtype`` -> elements to compute with (half -> float32)."""

    def concat(self, parts: Sequence[Array]) -> Array:
        """``(n_i, …)`` -> ``(sum n_i, …)``."""

    def take(self, x: Array, rows: HostArray) -> Array:
        """``(n, …)``, ``(m,)`` row numbers, on the host or the device -> ``(m, …)``."""

    def matmul(self, a: Array, b: Array, transpose_b: bool = False) -> Array:
        """``(…, i, k) @ (…, k, j)``, or ``(…, j, k)`` transposed -> ``(…, i, j)``, a new array."""

    @property
    def packs(self) -> str | None:
        """Dtype of packed weights; None where products read weights as they are."""

    @property
    def attends(self) -> str | None:
        """Dtype that attention multiplies in; None where it is that of its inputs."""

    def pack(self, weight: Array) -> Array:
        """``(j, k)``, the transposed right factor of products, as they read it fastest.

        What is returned is good for :meth:`matmul` and :meth:`linear` only, and ``[0]`` of it is
        itself.
        """

    def linear(self, x: Array, weight: Array, bias: Array, activation: str | None) -> Array:
        """``(i, k)``, ``(j, k)``, ``(j,)`` -> ``activation(x @ weight.T + bias)``, ``(i, j)``."""

    def map(self, fn: str, x: Array) -> Array:
        """Elementwise, a new array; names as in :data:`gpudb.plan.tensor.MAP_FUNCTIONS`."""

    def zip(self, fn: str, x: Array, y: Array) -> Array:
        """Elementwise over two arrays that broadcast, a new array."""

    def equi_join(self, left: HostArray, right: HostArray) -> tuple[HostArray, HostArray]:
        """Pairs of equal rows of keys ``(n, k)``, ``(m, k)``, as for ``keys.equal_pairs``."""

    def call(self, kernel: Kernel, *args: Any) -> Array:
        """Run one of our own kernels."""

    def record(
        self, run: Callable[[Mapping[str, Array]], Array], inputs: Mapping[str, Array]
    ) -> Callable[[Mapping[str, HostArray]], Array] | None:
        """Record what a function of arrays launches, to be launched again at once.

        None where the device has no such thing. What is returned is called with inputs of the same
        shapes, by any thread, copies them over the ones given here, and returns a new array.
        """

    def repeats(self, offsets: str) -> Repeats | None:
        """For one function of packed sequences: what it does to one batch, done to others at once.

        ``offsets`` names the input that says where sequences begin, see :meth:`upload`. Batches
        may come from any thread. None where the device has no such thing.
        """

    def together(self, threads: int) -> AbstractContextManager[None]:
        """While it is entered, operators that this thread runs may take so many threads each."""

    def synchronize(self) -> None:
        """Wait until everything launched is done."""

    def memory_nbytes(self) -> int:
        """Bytes of memory the device has for us."""
