/*
attention_scores: scaled dot products of all pairs of rows in a sequence, for every head.

  q, k     (n, heads · width) T
  offsets  (sequences + 1,) int64, the first row of each sequence
  starts   (sequences + 1,) int64, the first pair of each sequence
  relative (heads or 1, 2 · reach + 1) T, added by distance as in attention.cu, where
           compiled with BY_DISTANCE
  out      (pairs, heads) T, in order of (sequence, query row, key row)

A thread to a pair and head. The relational reading of attention, not the fast one: all scores are
stored, and each row of q and k is read once for every row that it meets. Sums in A; deterministic.
*/
#include "pairs.cuh"
#include "distance.cuh"

#ifndef BY_DISTANCE
#define BY_DISTANCE 0
#endif

typedef Accumulator<T>::type A;

extern "C" __global__ void attention_scores(const T* __restrict__ q, const T* __restrict__ k,
                                            const index_t* __restrict__ offsets,
                                            const index_t* __restrict__ starts,
                                            const T* __restrict__ relative,
                                            T* __restrict__ out, index_t sequences, index_t pairs,
                                            index_t heads, index_t width, double scale,
                                            int head_step, int reach) {
  each_item(pairs * heads, [&](index_t i) {
    const RowPair pair = pair_at(i / heads, offsets, starts, sequences);
    const index_t head = i % heads;
    const T* from = q + (pair.query * heads + head) * width;
    const T* to = k + (pair.key * heads + head) * width;
    A sum = 0;
    for (index_t c = 0; c < width; ++c) sum += A(widen(from[c])) * A(widen(to[c]));
    A score = sum * A(scale);
    if (BY_DISTANCE)
      score += widen(relative[head * head_step + column_of(pair.key - pair.query, reach)]);
    out[i] = Narrow<T>::from(score);
  });
}
