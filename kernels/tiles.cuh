// Transposes in squares of 32×32 through shared memory, so that neighbours are read by neighbouring
// threads and written by neighbouring threads (Ruetsch and Micikevicius, 2009).
#include "boxes.cuh"

#define TILE 32

// Matrices that are transposed: element (row, column) of the result is read `column * from_column`
// + `row` behind the start of its matrix, and written `column` behind the start of its row. Rows are
// written to_row apart, but after each `inner` of them to_outer.
struct Turned {
  index_t rows, columns, from_column, inner, to_row, to_outer;

  __device__ __forceinline__ index_t row_start(index_t row) const {
    const index_t outer = row / inner;
    return outer * to_outer + (row - outer * inner) * to_row;
  }
};

__device__ __forceinline__ int within_tile(index_t extent) {
  return extent < TILE ? int(extent) : TILE;
}

// Calls body(line, place) for so many lines of `length` elements, neighbouring threads at
// neighbouring places.
template <class Body> __device__ __forceinline__ void over_tile(int lines, int length, Body body) {
  const int together = blockDim.x / length, first = threadIdx.x / length;
  if (first == together) return;  // what is left of the threads
  for (int line = first; line < lines; line += together) body(line, threadIdx.x - first * length);
}

// All threads of the block transpose one tile; `square` is shared memory, with a column more than
// it needs: elements of a column then lie in different banks.
template <class T>
__device__ __forceinline__ void turn_tile(const T* from, T* to, index_t row0, index_t column0,
                                          const Turned& turned, T (&square)[TILE][TILE + 1]) {
  from += column0 * turned.from_column + row0;
  to += column0;
  const int rows = within_tile(turned.rows - row0), columns = within_tile(turned.columns - column0);
  over_tile(columns, rows, [&](int column, int row) {
    square[column][row] = from[column * turned.from_column + row];
  });
  __syncthreads();
  over_tile(rows, columns, [&](int row, int column) {
    to[turned.row_start(row0 + row) + column] = square[column][row];
  });
  __syncthreads();
}

// Shares out the tiles of `matrices` matrices among the blocks of the grid. start(matrix, from, to)
// sets where a matrix begins.
template <class T, class Start>
__device__ __forceinline__ void over_tiles(index_t matrices, const Turned& turned, bool interleaved,
                                           Start start, T (&square)[TILE][TILE + 1]) {
  const index_t down = (turned.rows + TILE - 1) / TILE;
  const index_t across = (turned.columns + TILE - 1) / TILE;
  // Along the side with fewer tiles first: neighbours on the other side, which share sectors at their
  // edges, then follow soon as well. So do matrices whose rows lie between each other's in the
  // result, if they are `interleaved` and few.
  const bool down_first = down < across, together = interleaved && matrices < down;
  const index_t fewer = down_first ? down : across;
  for (index_t i = blockIdx.x; i < matrices * down * across; i += gridDim.x) {
    const index_t above = i / (together ? matrices : down * across);
    const index_t matrix = together ? i - above * matrices : above;
    const index_t tile = together ? above : i - above * down * across;
    const index_t row = down_first ? tile % fewer : tile / fewer;
    const index_t column = down_first ? tile / fewer : tile % fewer;
    const T* from;
    T* to;
    start(matrix, from, to);
    turn_tile(from, to, row * TILE, column * TILE, turned, square);
  }
}
