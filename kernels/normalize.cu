/*
normalize: rows divided by their Euclidean norm, or by `eps` if that is larger.

  x    (rows, width) T
  out  (rows, width) T

One block per row, walking on in steps of the grid. x is read once and out written once, the least
possible, but for what does not fit into registers and shared memory, which is read twice, see
kept.cuh. A row whose squares overflow is gone through twice more. Deterministic.
*/
#include "norm.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void ROW_BOUNDS normalize(
    const T* __restrict__ x, T* __restrict__ out, index_t rows, index_t width, double eps, index_t
    kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const bool packed = is_packed(x, width) && is_packed(out, width);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * width;
    const auto source = [&](index_t at, auto n) { return load_few(from + at, n); };
    KeptRow<T, HELD> once = {cache, kept, width, packed};
    const A length = nan_max(euclidean_norm(once, source, scratch), A(eps));
    once.again(source, [&](index_t at, auto few, auto) {
      for (A& v : few.v) v /= length;
      write_few(out + row * width + at, narrow_few<T>(few));
    });
  }
}
