/*
merge_argmax: (position, maximum) of the parts of a line -> position in the line.

  positions  (lines · parts, size) int64
  values     (lines · parts, size) T
  firsts     (lines · parts,) int64, position of each part's first element
  out        (lines, size) int64

A thread to a line, over its parts in order: the first part with the largest maximum holds the first
largest element; NaN is largest. Everything is read and written at most once. Deterministic.
*/
#include "lines.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void merge_argmax(const index_t* __restrict__ positions,
                                        const T* __restrict__ values,
                                        const index_t* __restrict__ firsts,
                                        index_t* __restrict__ out, index_t lines, index_t parts,
                                        index_t size) {
  each_item(lines * size, [&](index_t i) {
    const index_t first = i / size * parts;
    Best<A> best = {A(0), -1};
    for (index_t part = first; part < first + parts; ++part)
      best = better(best, Best<A>{A(widen(values[part * size + i % size])), part});
    out[i] = positions[best.place * size + i % size] + firsts[best.place];
  });
}
