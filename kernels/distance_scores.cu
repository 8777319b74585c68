/*
distance_scores: scaled dot products of rows with the row of a table that belongs to a distance.

  x        (n, heads · width) T
  table    (r, heads · width) T
  rows     (2 · reach + 1,) int64, the row of the table for each distance from query to key
  offsets  (sequences + 1,) int64, the first row of each sequence
  starts   (sequences + 1,) int64, the first pair of each sequence
  out      (pairs, heads) T, in order of (sequence, query row, key row); of the query's row of x, or
           of the key's where `by_key`

A thread to a pair and head, as in attention_scores.cu. Sums in A; deterministic.
*/
#include "pairs.cuh"
#include "distance.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void distance_scores(const T* __restrict__ x, const T* __restrict__ table,
                                           const index_t* __restrict__ rows,
                                           const index_t* __restrict__ offsets,
                                           const index_t* __restrict__ starts,
                                           T* __restrict__ out, index_t sequences, index_t pairs,
                                           index_t heads, index_t width, double scale, int reach,
                                           bool by_key) {
  each_item(pairs * heads, [&](index_t i) {
    const RowPair pair = pair_at(i / heads, offsets, starts, sequences);
    const index_t row = rows[column_of(pair.key - pair.query, reach)];
    const T* from = x + ((by_key ? pair.key : pair.query) * heads + i % heads) * width;
    const T* to = table + (row * heads + i % heads) * width;
    A sum = 0;
    for (index_t c = 0; c < width; ++c) sum += A(widen(from[c])) * A(widen(to[c]));
    out[i] = Narrow<T>::from(sum * A(scale));
  });
}
