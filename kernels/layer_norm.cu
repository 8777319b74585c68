/*
layer_norm: layer-norm of the first `width` elements of each row, zeros behind.

  x            (rows, stride) T
  gamma, beta  (width,) T
  out          (rows, stride) T

One block per row, walking on in steps of the grid. x is read once and out written once, the least
possible, but for what does not fit into registers and shared memory, which is read twice, see
kept.cuh. gamma and beta come from the second-level cache for all rows but the first. Deterministic.
Sums in float, or in double for double. Formula: Ba, Kiros, Hinton, "Layer Normalization", 2016.
*/
#include "layer_norm.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void ROW_BOUNDS layer_norm(
    const T* __restrict__ x, const T* __restrict__ gamma, const T* __restrict__ beta, T*
    __restrict__ out, index_t rows, index_t width, index_t stride, double eps, index_t kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const LayerNorm<T, HELD> norm = {gamma, beta, width, A(eps), cache, kept, scratch};
  const bool packed = is_packed(x, stride) && is_packed(out, stride);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * stride;
    T* to = out + row * stride;
    norm.apply([&](index_t at, auto n) { return load_few(from + at, n); }, to, packed);
    clear_padding(to, width, stride);
  }
}
