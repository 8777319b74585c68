// Transposes in squares of 32×32 through shared memory, so that neighbours are read by neighbouring
// threads and written by neighbouring threads (Ruetsch and Micikevicius, 2009).
#include "boxes.cuh"

#define TILE 32

// Matrices that are transposed: element (row, column) of the result is read `column * from_column`
// + `row` behind the start of its matrix and written `row * to_row` + `column` behind it.
struct Turned {
  index_t rows, columns, from_column, to_row;
};

// All threads of the block transpose one tile; `square` is shared memory, with a column more than
// it needs: elements of a column then lie in different banks.
template <class T>
__device__ __forceinline__ void turn_tile(const T* from, T* to, index_t row0, index_t column0,
                                          const Turned& turned, T (&square)[TILE][TILE + 1]) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  from += column0 * turned.from_column + row0;
  to += row0 * turned.to_row + column0;
  const index_t rows = turned.rows - row0, columns = turned.columns - column0;
  for (int column = warp; column < TILE; column += warps)
    if (column < columns && lane < rows)
      square[column][lane] = from[column * turned.from_column + lane];
  __syncthreads();
  for (int row = warp; row < TILE; row += warps)
    if (row < rows && lane < columns) to[row * turned.to_row + lane] = square[lane][row];
  __syncthreads();
}

// Shares out the tiles of `matrices` matrices among the blocks of the grid. start(matrix, from, to)
// sets where a matrix begins.
template <class T, class Start>
__device__ __forceinline__ void over_tiles(index_t matrices, const Turned& turned, Start start,
                                           T (&square)[TILE][TILE + 1]) {
  const index_t down = (turned.rows + TILE - 1) / TILE;
  const index_t across = (turned.columns + TILE - 1) / TILE;
  for (index_t i = blockIdx.x; i < matrices * down * across; i += gridDim.x) {
    const index_t column = i % across, row = i / across % down;
    const T* from;
    T* to;
    start(i / across / down, from, to);
    turn_tile(from, to, row * TILE, column * TILE, turned, square);
  }
}
