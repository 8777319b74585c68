/*
attention_context: weighted sums of values over the keys of each query row, for every head.

  weights  (pairs, heads) T, in order of (sequence, query row, key row)
  v        (n, heads · width) T
  offsets  (sequences + 1,) int64, the first row of each sequence
  starts   (sequences + 1,) int64, the first pair of each sequence
  out      (n, heads · width) T; zeros behind the last sequence

A thread to an element of the result. The relational reading of attention, not the fast one: every
row of v is read once for each query row that it meets. Sums in A; deterministic.
*/
#include "pairs.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void attention_context(const T* __restrict__ weights,
                                             const T* __restrict__ v,
                                             const index_t* __restrict__ offsets,
                                             const index_t* __restrict__ starts,
                                             T* __restrict__ out, index_t sequences, index_t n,
                                             index_t heads, index_t width) {
  const index_t all = heads * width;
  each_item(n * all, [&](index_t i) {
    A sum = 0;
    if (sequences && i / all < offsets[sequences]) {
      const QueryRow row = query_row(i / all, offsets, starts, sequences);
      const index_t head = i % all / width;
      for (index_t j = 0; j < row.length; ++j)
        sum += A(widen(weights[(row.pair + j) * heads + head])) *
               A(widen(v[(row.first + j) * all + i % all]));
    }
    out[i] = Narrow<T>::from(sum);
  });
}
