/*
row_softmax: softmax of the first `width` elements of each row, zeros behind.

  x    (rows, stride) T
  out  (rows, stride) T

One block per row, walking on in steps of the grid, and twice along it: maximum and sum of exp, see
softmax.cuh, then the quotients. x is read once and out written once, the least possible, but for
what does not fit into registers and shared memory, which is read twice, see kept.cuh.
Deterministic. exp is expf, within 2 ulp.
*/
#include "kept.cuh"
#include "softmax.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void ROW_BOUNDS row_softmax(
    const T* __restrict__ x, T* __restrict__ out, index_t rows, index_t width, index_t stride,
    index_t kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const bool packed = is_packed(x, stride) && is_packed(out, stride);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * stride;
    T* to = out + row * stride;
    const auto source = [&](index_t at, auto n) { return load_few(from + at, n); };
    auto mine = SoftmaxState<A>::none();
    KeptRow<T, HELD> once = {cache, kept, width, packed};
    once.first(source, [&](index_t, const auto& few, auto) {
      for (const A v : few.v) mine.add(v);
    });
    const A largest = block_reduce<Max>(mine.largest, A(-CU_INF), scratch);
    const A inverse = A(1) / block_reduce<Sum>(mine.scaled(largest), A(0), scratch);
    once.again(source, [&](index_t at, auto few, auto) {
      for (A& v : few.v) v = exponential(v - largest) * inverse;
      write_few(to + at, narrow_few<T>(few));
    });
    clear_padding(to, width, stride);
  }
}
