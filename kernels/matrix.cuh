// All threads of a grid share out a matrix, where rows need no sums: any width fills them.
#include "row.cuh"

// Rows that a thread takes, one below the other: what it reads per column, it reads once for all.
#define ROWS_EACH 4

template <int N, class Body>
__device__ __forceinline__ void over_columns(index_t rows, index_t width, Body body) {
  const index_t columns = width / N, items = columns * ((rows + ROWS_EACH - 1) / ROWS_EACH);
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < items; i += step) {
    const index_t first = i / columns * ROWS_EACH;
    const index_t stop = first + ROWS_EACH < rows ? first + ROWS_EACH : rows;
    body(i % columns * N, first, stop, Count<N>());
  }
}

// Calls body(first column, first row, row to stop before, Count<N>): N columns of a few rows.
// `packed` says that rows can be read 16 bytes at a time.
template <class T, class Body>
__device__ __forceinline__ void over_matrix(index_t rows, index_t width, bool packed, Body body) {
  if (packed)
    over_columns<Pack<T>::size>(rows, width, body);
  else
    over_columns<1>(rows, width, body);
}
