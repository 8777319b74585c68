/*
layer_norm_apply: layer-norm of rows cut into blocks, from the moments of whole rows.

  x        (rows, width) T: blocks one below the other, `height` rows each
  moments  (g, 2, height) double: mean and sum of squared differences
  groups   (rows / height,) index_t: which of moments belongs to a block
  gamma    (k, width) T
  beta     (k, width) T
  columns  (rows / height,) index_t: which of gamma and beta belongs to a block
  out      (rows, width) T
  total    elements of a whole row

Each thread takes 16 bytes of a few rows. x is read once and out written once, the least possible;
the rest comes from cache for all rows and threads but the first. Differences to the mean are taken
in double, so that large means do not cancel. Deterministic.
*/
#include "matrix.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void layer_norm_apply(
    const T* __restrict__ x, const double* __restrict__ moments,
    const index_t* __restrict__ groups, const T* __restrict__ gamma, const T* __restrict__ beta,
    const index_t* __restrict__ columns, T* __restrict__ out, index_t rows, index_t height,
    index_t width, double total, double eps) {
  const bool packed = is_packed(x, width) && is_packed(out, width) && is_packed(gamma, width) &&
                      is_packed(beta, width);
  over_matrix<T>(rows, width, packed, [&](index_t at, index_t first, index_t apart, auto n) {
    index_t column = -1;
    auto scale = same_few(A(0), n), shift = scale;
    for (index_t row = first; row < rows; row += apart) {
      const index_t block = row / height;
      const double* state = moments + 2 * groups[block] * height + (row - block * height);
      const double mean = state[0], inverse = 1 / sqrt(state[height] / total + eps);
      if (columns[block] != column) {
        column = columns[block];
        scale = load_few(gamma + column * width + at, n);
        shift = load_few(beta + column * width + at, n);
      }
      auto few = load_few(x + row * width + at, n);
      const int elements = sizeof(few.v) / sizeof(A);
#pragma unroll
      for (int i = 0; i < elements; ++i)
        few.v[i] = A((double(few.v[i]) - mean) * inverse) * scale.v[i] + shift.v[i];
      write_few(out + row * width + at, narrow_few<T>(few));
    }
  });
}
