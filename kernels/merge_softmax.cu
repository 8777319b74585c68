/*
merge_softmax: (maximum, sum of exp) of the parts of each row -> of the row.

  states  (parts, 2, rows) T
  starts  (groups,) int64, rising: the first part of each group
  out     (groups, 2, rows) T

A thread to a row of a group, two passes over its parts in order. Milakov and Gimelshein, "Online
normalizer calculation for softmax", 2018. States are read once from memory, the least possible.
Deterministic.
*/
#include "lines.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void merge_softmax(const T* __restrict__ states,
                                         const index_t* __restrict__ starts, T* __restrict__ out,
                                         index_t parts, index_t groups, index_t rows) {
  each_item(groups * rows, [&](index_t i) {
    const index_t group = i / rows, stop = group_stop(starts, group, groups, parts);
    const T* from = states + i % rows;
    A largest = -CU_INF;
    for (index_t part = starts[group]; part < stop; ++part)
      largest = nan_max(largest, A(widen(from[part * 2 * rows])));
    A sum = 0;
    for (index_t part = starts[group]; part < stop; ++part)
      sum += exponential(widen(from[part * 2 * rows]) - largest) * widen(from[(part * 2 + 1) * rows]);
    T* to = out + group * 2 * rows + i % rows;
    to[0] = Narrow<T>::from(largest);
    to[rows] = Narrow<T>::from(sum);
  });
}
