/*
layer_norm_apply: layer-norm from the moments of whole rows.

  x        (blocks, rows, width) T
  moments  (groups, 2, rows) double: mean and sum of squared differences of rows of `extent`
  groups   (blocks,) int64, which moments belong to a block
  gamma    (columns, width) T
  beta     (columns, width) T
  columns  (blocks,) int64, which row of gamma and beta belongs to a block
  out      (blocks, rows, width) T

A thread to an element. x is read once and out written once; the others come from the cache.
*/
#include "lines.cuh"

extern "C" __global__ void layer_norm_apply(const T* __restrict__ x,
                                            const double* __restrict__ moments,
                                            const index_t* __restrict__ groups,
                                            const T* __restrict__ gamma, const T* __restrict__ beta,
                                            const index_t* __restrict__ columns,
                                            T* __restrict__ out, index_t blocks, index_t rows,
                                            index_t width, index_t extent, double eps) {
  each_item(blocks * rows * width, [&](index_t i) {
    const index_t line = i / width, block = line / rows;
    const double* state = moments + groups[block] * 2 * rows + line % rows;
    const index_t column = columns[block] * width + i % width;
    double value = (widen(x[i]) - state[0]) / sqrt(state[rows] / double(extent) + eps);
    value = value * widen(gamma[column]) + widen(beta[column]);
    out[i] = Narrow<T>::from(typename Accumulator<T>::type(value));
  });
}
