/*
residual_layer_norm: layer-norm of each row of x + residual + bias.

  x, residual        (rows, width) T
  bias               (width,) T, looked at where `biased`
  gamma, beta        (width,) T
  out                (rows, width) T

One block per row, walking on in steps of the grid. x and residual are read once and out written
once, the least possible, but for what does not fit into registers and shared memory, which is read
twice, see kept.cuh. bias, gamma and beta come from the second-level cache for all rows but the
first. Deterministic. The sum is not rounded to T before it is normalised.
*/
#include "layer_norm.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void ROW_BOUNDS residual_layer_norm(
    const T* __restrict__ x, const T* __restrict__ residual, const T* __restrict__ bias,
    const T* __restrict__ gamma, const T* __restrict__ beta, T* __restrict__ out, index_t rows,
    index_t width, double eps, bool biased, index_t kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const LayerNorm<T, HELD> norm = {gamma, beta, width, A(eps), cache, kept, scratch};
  const bool packed = is_packed(x, width) && is_packed(residual, width) &&
                      is_packed(out, width) && is_aligned16(bias);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const index_t start = row * width;
    const auto sum = [&](index_t at, auto n) {
      auto few = load_few(x + start + at, n);
      add_few(few, load_few(residual + start + at, n));
      if (biased) add_few(few, load_few(bias + at, n));
      return few;
    };
    norm.apply(sum, out + start, packed);
  }
}
