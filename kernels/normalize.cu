/*
normalize: rows divided by their Euclidean norm, or by `eps` if that is larger.

  x    (rows, width) T
  out  (rows, width) T

One block per row, walking on in steps of the grid. x is read once and out written once, the least
possible, but for what is behind the first `kept` elements of a row, which fit into shared memory:
that is read twice. A row whose squares overflow is gone through twice more. Deterministic.
*/
#include "norm.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void normalize(const T* __restrict__ x, T* __restrict__ out, index_t rows,
                                     index_t width, double eps, index_t kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const bool packed = is_packed(x, width) && is_packed(out, width);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * width;
    along_row<T>(kept, packed, [&](index_t at, auto n) {
      store_few(cache + at, load_few(from + at, n));
    });
    const auto source = [&](index_t at, auto n) {
      return at < kept ? load_few(cache + at, n) : load_few(from + at, n);
    };
    const A length = nan_max(euclidean_norm<T>(width, packed, source, scratch), A(eps));
    along_row<T>(width, packed, [&](index_t at, auto n) {
      auto few = source(at, n);
      for (A& v : few.v) v /= length;
      store_few(out + row * width + at, few);
    });
  }
}
