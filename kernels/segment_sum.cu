/*
segment_sum: add neighbouring blocks that share a group.

  x       (parts, size) T
  starts  (groups,) int64, rising: the first block of each group
  out     (groups, size) T

A thread to an element of a group, which walks over its blocks in order: the same sum every time,
whatever the grid. x is read once and out written once, the least possible. Sums in A.
*/
#include "lines.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void segment_sum(const T* __restrict__ x, const index_t* __restrict__ starts,
                                       T* __restrict__ out, index_t parts, index_t groups,
                                       index_t size) {
  each_item(groups * size, [&](index_t i) {
    const index_t group = i / size, stop = group_stop(starts, group, groups, parts);
    A sum = 0;
    for (index_t part = starts[group]; part < stop; ++part) sum += widen(x[part * size + i % size]);
    out[i] = Narrow<T>::from(sum);
  });
}
