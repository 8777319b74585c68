/*
row_softmax: softmax of the first `width` elements of each row, zeros behind.

  x    (rows, stride) T
  out  (rows, stride) T

One block per row, walking on in steps of the grid, and twice along it: maximum and sum of exp, see
softmax.cuh, then the quotients. The first `kept` elements are kept in `cache`, shared memory for as
many accumulators. x is read once and out written once, the least possible, but for what is behind
them: that is read twice. Deterministic. exp is expf, within 2 ulp.
*/
#include "row.cuh"
#include "softmax.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void row_softmax(const T* __restrict__ x, T* __restrict__ out, index_t rows,
                                       index_t width, index_t stride, index_t kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const bool packed = is_packed(x, stride) && is_packed(out, stride);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * stride;
    T* to = out + row * stride;
    auto mine = SoftmaxState<A>::none();
    along_row<T>(width, packed, [&](index_t at, auto n) {
      const auto few = load_few(from + at, n);
      for (const A v : few.v) mine.add(v);
      if (at < kept) store_few(cache + at, few);
    });
    const A largest = block_reduce<Max>(mine.largest, A(-CU_INF), scratch);
    const A inverse = A(1) / block_reduce<Sum>(mine.scaled(largest), A(0), scratch);
    along_row<T>(width, packed, [&](index_t at, auto n) {
      auto few = at < kept ? load_few(cache + at, n) : load_few(from + at, n);
      for (A& v : few.v) v = exponential(v - largest) * inverse;
      store_few(to + at, few);
    });
    clear_padding(to, width, stride);
  }
}
