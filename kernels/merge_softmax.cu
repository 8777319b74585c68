/*
merge_softmax: (maximum, sum of exp) of the parts of each row, merged.

  states  (parts, 2, rows) T
  starts  (groups,) index_t: the first part of each row
  out     (groups, 2, rows) T

One thread for each group and row, parts in order: deterministic. One walk over the parts, see
softmax.cuh: states is read once and out written once, the least possible.
*/
#include "groups.cuh"
#include "softmax.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void merge_softmax(const T* __restrict__ states,
                                         const index_t* __restrict__ starts, T* __restrict__ out,
                                         index_t groups, index_t parts, index_t rows) {
  const Groups all = {starts, groups, parts, rows};
  over_groups<1>(all, [&](index_t group, index_t row, index_t first, index_t stop) {
    const T* from = states + row;
    auto whole = SoftmaxState<A>::none();
#pragma unroll 2
    for (index_t part = first; part < stop; ++part)
      whole.add(widen(from[2 * part * rows]), widen(from[(2 * part + 1) * rows]));
    // -inf off -inf is NaN: rows of -inf only are NaN from here on.
    if (whole.largest == A(-CU_INF)) whole.total = whole.largest - whole.largest;
    T* to = out + 2 * group * rows + row;
    to[0] = Narrow<T>::from(whole.largest);
    to[rows] = Narrow<T>::from(whole.total);
  });
}
