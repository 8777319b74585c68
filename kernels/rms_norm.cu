/*
rms_norm: rows divided by the root of their mean square, times gamma.

  x      (rows, width) T
  gamma  (width,) T
  out    (rows, width) T

One block per row, walking on in steps of the grid. x is read once and out written once, the least
possible, but for what does not fit into registers and shared memory, which is read twice, see
kept.cuh. gamma comes from the second-level cache for all rows but the first. Deterministic. Sums in
float, or in double for double. Formula: Zhang, Sennrich, "Root Mean Square Layer Normalization",
2019.
*/
#include "elementwise.cuh"
#include "kept.cuh"

typedef Accumulator<T>::type A;

template <int N>
__device__ __forceinline__ void scale(Few<A, N>& few, A root, const Few<A, N>& gamma) {
#pragma unroll
  for (int i = 0; i < N; ++i) few.v[i] = few.v[i] / root * gamma.v[i];
}

extern "C" __global__ void ROW_BOUNDS rms_norm(
    const T* __restrict__ x, const T* __restrict__ gamma, T* __restrict__ out, index_t rows, index_t
    width, double eps, index_t kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const bool packed = is_packed(x, width) && is_packed(out, width) && is_aligned16(gamma);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * width;
    const auto source = [&](index_t at, auto n) { return load_few(from + at, n); };
    A squares = 0;
    KeptRow<T, HELD> once = {cache, kept, width, packed};
    once.first(source, [&](index_t, const auto& few, auto) {
      for (const A v : few.v) squares += v * v;
    });
    squares = block_reduce<Sum>(squares, A(0), scratch);
    const A root = square_root(squares / A(width) + A(eps));
    once.again(source, [&](index_t at, auto few, auto n) {
      scale(few, root, load_few(gamma + at, n));
      write_few(out + row * width + at, narrow_few<T>(few));
    });
  }
}
