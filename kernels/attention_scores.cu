/*
attention_scores: scaled dot products of all pairs of rows in a sequence, for every head.

  q, k     (n, heads · width) T
  offsets  (sequences + 1,) int64, the first row of each sequence
  starts   (sequences + 1,) int64, the first pair of each sequence
  out      (pairs, heads) T, in order of (sequence, query row, key row)

A thread to a pair and head. The relational reading of attention, not the fast one: all scores are
stored, and each row of q and k is read once for every row that it meets. Sums in A; deterministic.
*/
#include "pairs.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void attention_scores(const T* __restrict__ q, const T* __restrict__ k,
                                            const index_t* __restrict__ offsets,
                                            const index_t* __restrict__ starts,
                                            T* __restrict__ out, index_t sequences, index_t pairs,
                                            index_t heads, index_t width, double scale) {
  each_item(pairs * heads, [&](index_t i) {
    const RowPair pair = pair_at(i / heads, offsets, starts, sequences);
    const T* from = q + (pair.query * heads + i % heads) * width;
    const T* to = k + (pair.key * heads + i % heads) * width;
    A sum = 0;
    for (index_t c = 0; c < width; ++c) sum += A(widen(from[c])) * A(widen(to[c]));
    out[i] = Narrow<T>::from(sum * A(scale));
  });
}
