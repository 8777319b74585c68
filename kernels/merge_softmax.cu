/*
merge_softmax: (maximum, sum of exp) of the parts of each row, merged.

  states  (parts, 2, rows) T
  starts  (groups,) index_t: the first part of each row
  out     (groups, 2, rows) T

One thread for each group and row, parts in order: deterministic. Two passes over the parts, the
second over the maxima from cache: states is read once from memory and out written once, the least
possible. Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
*/
#include "elementwise.cuh"
#include "groups.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void merge_softmax(const T* __restrict__ states,
                                         const index_t* __restrict__ starts, T* __restrict__ out,
                                         index_t groups, index_t parts, index_t rows) {
  const Groups all = {starts, groups, parts, rows};
  over_groups<1>(all, [&](index_t group, index_t row, index_t first, index_t stop) {
    const T* from = states + row;
    A largest = widen(from[2 * first * rows]);
    for (index_t part = first + 1; part < stop; ++part)
      largest = nan_max(largest, A(widen(from[2 * part * rows])));
    // -inf off -inf is NaN: rows of -inf only are NaN from here on.
    A total = 0;
#pragma unroll 2
    for (index_t part = first; part < stop; ++part) {
      const A down = exponential(widen(from[2 * part * rows]) - largest);
      total += down * widen(from[(2 * part + 1) * rows]);
    }
    T* to = out + 2 * group * rows + row;
    to[0] = Narrow<T>::from(largest);
    to[rows] = Narrow<T>::from(total);
  });
}
