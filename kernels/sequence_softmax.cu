/*
sequence_softmax: softmax within sequences over blocks of (rows, heads, columns).

  x               (blocks, rows, heads, columns) T
  starts          (groups,) int64, rising: the first block of each group, which holds the same rows
                  against different columns
  row_numbers     (blocks, rows) int64, the sequence of each row
  column_numbers  (blocks, columns) int64, the sequence of each column
  out             (blocks, rows, heads, columns) T; 0 where row and column are of two sequences

A warp to a row and head of a group, two walks over its blocks, see softmax.cuh: the second meets the
cache where a row is not long. So x is read once and out written once, the least possible.
Deterministic.
*/
#include "softmax.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void sequence_softmax(const T* __restrict__ x,
                                            const index_t* __restrict__ starts,
                                            const index_t* __restrict__ row_numbers,
                                            const index_t* __restrict__ column_numbers,
                                            T* __restrict__ out, index_t blocks, index_t groups,
                                            index_t rows, index_t heads, index_t columns) {
  const index_t warps = index_t(gridDim.x) * (blockDim.x >> 5);
  const index_t first_warp = index_t(blockIdx.x) * (blockDim.x >> 5) + (threadIdx.x >> 5);
  const int lane = threadIdx.x & 31;
  for (index_t i = first_warp; i < groups * rows * heads; i += warps) {
    const index_t group = i / (rows * heads), row = i / heads % rows, head = i % heads;
    const index_t first = starts[group], stop = group + 1 < groups ? starts[group + 1] : blocks;
    // Calls visit(number of an element, whether row and column meet) for this lane's elements.
    const auto each = [&](auto visit) {
      for (index_t block = first; block < stop; ++block) {
        const index_t mine = row_numbers[block * rows + row];
        const index_t start = ((block * rows + row) * heads + head) * columns;
        for (index_t c = lane; c < columns; c += 32)
          visit(start + c, column_numbers[block * columns + c] == mine);
      }
    };
    auto mine = SoftmaxState<A>::none();
    each([&](index_t at, bool met) {
      if (met) mine.add(widen(x[at]));
    });
    const A largest = warp_reduce<Max>(mine.largest), base = base_of(largest);
    const A total = warp_reduce<Sum>(mine.scaled(largest));
    each([&](index_t at, bool met) {
      out[at] = Narrow<T>::from(met ? exponential(widen(x[at]) - base) / total : A(0));
    });
  }
}
