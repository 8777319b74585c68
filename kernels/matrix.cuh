// All threads of a grid share out a matrix, where rows need no sums: any width fills them.
#include "row.cuh"

// Rows that a thread takes: what it reads per column, it reads once for all.
#define ROWS_EACH 4

// Columns (or 16 bytes of them) that threads go through for all rows before the next: what is read
// per column is then still in cache, however wide a row is.
#define STRIP 1024

template <int N, class Body>
__device__ __forceinline__ void over_columns(index_t rows, index_t width, Body body) {
  const index_t columns = width / N, apart = (rows + ROWS_EACH - 1) / ROWS_EACH;
  const index_t strip = columns < STRIP ? columns : STRIP;
  const index_t step = index_t(gridDim.x) * blockDim.x;
#pragma unroll 1
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < columns * apart; i += step) {
    const index_t first = i / (strip * apart) * strip;
    const index_t across = columns - first < strip ? columns - first : strip;
    const index_t within = i - first * apart;
    body((first + within % across) * N, within / across, apart, Count<N>());
  }
}

// Calls body(first column, first row, rows to the next, Count<N>): N columns of a few rows, as far
// apart as they can be. So neighbouring threads are at neighbouring rows however narrow they are.
// `packed` says that rows can be read 16 bytes at a time.
template <class T, class Body>
__device__ __forceinline__ void over_matrix(index_t rows, index_t width, bool packed, Body body) {
  if (packed)
    over_columns<Pack<T>::size>(rows, width, body);
  else
    over_columns<1>(rows, width, body);
}
