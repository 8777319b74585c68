/*
pair_softmax: softmax of scores over the keys of each query row and head.

  scores   (pairs, heads) T, in order of (sequence, query row, key row)
  offsets  (sequences + 1,) int64, the first row of each sequence
  starts   (sequences + 1,) int64, the first pair of each sequence
  out      (pairs, heads) T

A thread to a query row and head; neighbours take the heads of one row, which lie together. Three
walks over the keys, of which two meet the cache: scores are read once from memory and out written
once, the least possible. Deterministic.
*/
#include "pairs.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void pair_softmax(const T* __restrict__ scores,
                                        const index_t* __restrict__ offsets,
                                        const index_t* __restrict__ starts, T* __restrict__ out,
                                        index_t sequences, index_t rows, index_t heads) {
  each_item(rows * heads, [&](index_t i) {
    const QueryRow row = query_row(i / heads, offsets, starts, sequences);
    const index_t first = row.pair * heads + i % heads;
    A largest = -CU_INF, total = 0;
    for (index_t j = 0; j < row.length; ++j)
      largest = nan_max(largest, A(widen(scores[first + j * heads])));
    for (index_t j = 0; j < row.length; ++j)
      total += exponential(widen(scores[first + j * heads]) - largest);
    for (index_t j = 0; j < row.length; ++j) {
      const A e = exponential(widen(scores[first + j * heads]) - largest);
      out[first + j * heads] = Narrow<T>::from(e / total);
    }
  });
}
