/*
segment_sum: neighbouring blocks that share a group, added up.

  x       (parts, size) T
  starts  (groups,) index_t: the first block of each group
  out     (groups, size) T

One thread for 16 bytes of a group, or for one element where addresses forbid that. x is read once
and out written once, the least possible. Blocks are added one after the other: deterministic. Half
types are added up in float, double in double.
*/
#include "groups.cuh"
#include "row.cuh"

template <int N>
__device__ __forceinline__ void add_blocks(const T* x, T* out, const Groups& all) {
  over_groups<N>(all, [&](index_t group, index_t element, index_t first, index_t stop) {
    auto total = load_few(x + first * all.size + element, Count<N>());
#pragma unroll 4
    for (index_t part = first + 1; part < stop; ++part)
      add_few(total, load_few(x + part * all.size + element, Count<N>()));
    store_few(out + group * all.size + element, total);
  });
}

extern "C" __global__ void segment_sum(const T* __restrict__ x,
                                       const index_t* __restrict__ starts, T* __restrict__ out,
                                       index_t groups, index_t parts, index_t size) {
  const Groups all = {starts, groups, parts, size};
  if (is_packed(x, size) && is_packed(out, size))
    add_blocks<Pack<T>::size>(x, out, all);
  else
    add_blocks<1>(x, out, all);
}
