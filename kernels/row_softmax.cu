/*
row_softmax: softmax of the first `width` elements of each row, zeros behind.

  x    (rows, stride) T
  out  (rows, stride) T

One block per row, walking on in steps of the grid. The row is kept in `cache` (shared memory,
`width` accumulators) where `cached`, so x is read once and out written once: the least possible.
Wider rows are read three times. Deterministic. exp is expf, within 2 ulp.
*/
#include "elementwise.cuh"
#include "row.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void row_softmax(const T* __restrict__ x, T* __restrict__ out, index_t rows,
                                       index_t width, index_t stride, bool cached) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const bool packed = is_packed(x, stride) && is_packed(out, stride);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * stride;
    T* to = out + row * stride;
    A largest = -CU_INF;
    along_row<T>(width, packed, [&](index_t at, auto n) {
      const auto few = load_few(from + at, n);
      for (const A v : few.v) largest = nan_max(largest, v);
      if (cached) store_few(cache + at, few);
    });
    largest = block_reduce<Max>(largest, A(-CU_INF), scratch);
    A total = 0;
    along_row<T>(width, packed, [&](index_t at, auto n) {
      auto few = cached ? load_few(cache + at, n) : load_few(from + at, n);
      for (A& v : few.v) total += v = exponential(v - largest);
      if (cached) store_few(cache + at, few);
    });
    total = block_reduce<Sum>(total, A(0), scratch);
    const A inverse = A(1) / total;
    along_row<T>(width, packed, [&](index_t at, auto n) {
      auto few = cached ? load_few(cache + at, n) : load_few(from + at, n);
      for (A& v : few.v) v = (cached ? v : exponential(v - largest)) * inverse;
      store_few(to + at, few);
    });
    clear_padding(to, width, stride);
  }
}
