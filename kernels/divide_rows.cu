/*
divide_rows: rows of blocks divided by norms, or by `eps` if that is larger.

  x       (rows, width) T: blocks one below the other, `height` rows each
  norms   (g, height) T
  groups  (rows / height,) index_t: which row of norms belongs to a block
  out     (rows, width) T

Each thread takes 16 bytes of a few rows. x is read once and out written once, the least possible;
norms and groups come from the first-level cache for all threads of a row but the first.
Deterministic.
*/
#include "matrix.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void divide_rows(const T* __restrict__ x, const T* __restrict__ norms,
                                       const index_t* __restrict__ groups, T* __restrict__ out,
                                       index_t rows, index_t height, index_t width, double eps) {
  const bool packed = is_packed(x, width) && is_packed(out, width);
  over_matrix<T>(rows, width, packed, [&](index_t at, index_t first, index_t apart, auto n) {
    for (index_t row = first; row < rows; row += apart) {
      const index_t block = row / height, within = row - block * height;
      const A length = nan_max(widen(norms[groups[block] * height + within]), A(eps));
      auto few = load_few(x + row * width + at, n);
      for (A& v : few.v) v /= length;
      write_few(out + row * width + at, narrow_few<T>(few));
    }
  });
}
