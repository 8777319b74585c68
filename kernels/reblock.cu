/*
reblock: a whole tensor, cut into other blocks.

  x    (old blocks, old_size) T, the full grid in row-major order
  out  (blocks, size) T, the full grid in row-major order

Along each of AXES axes, n are the extents of a new block, e of the tensor and o of an old block. A
thread for 16 bytes of the result, or for one element; `packed` says that 16 bytes of a new block are
16 bytes of an old one. x is read once, without its padding, and out written once, the least
possible. Deterministic.
*/
#include "cuts.cuh"

extern "C" __global__ void reblock(const T* __restrict__ x, T* __restrict__ out, index_t blocks,
    index_t size, index_t old_size, bool packed, index_t n0, index_t n1, index_t n2, index_t n3,
    index_t n4, index_t n5, index_t n6, index_t n7, index_t e0, index_t e1, index_t e2, index_t e3,
    index_t e4, index_t e5, index_t e6, index_t e7, index_t o0, index_t o1, index_t o2, index_t o3,
    index_t o4, index_t o5, index_t o6, index_t o7) {
  const Cuts cuts = {ALL_AXES(n), ALL_AXES(e), ALL_AXES(o)};
  packed = packed && is_aligned16(x) && is_aligned16(out);
  over_blocks<T>(blocks, size, packed, [&](index_t block, index_t at, auto few) {
    T* to = out + block * size + at;
    Axes start;
#pragma unroll
    for (int axis = AXES - 1; axis >= 0; --axis) {
      const index_t grid = (cuts.extent[axis] + cuts.block[axis] - 1) / cuts.block[axis];
      const index_t rest = axis ? block / grid : 0;
      start[axis] = (block - rest * grid) * cuts.block[axis];
      block = rest;
    }
    const Found found = find_in_old<AXES>(cuts, start, at);
    index_t number = 0;
#pragma unroll
    for (int axis = 0; axis < AXES && found.place >= 0; ++axis) {
      const index_t grid = (cuts.extent[axis] + cuts.old[axis] - 1) / cuts.old[axis];
      number = number * grid + found.key[axis];
    }
    if (found.place < 0)
      clear_few(to, few);
    else
      copy_few(to, x + number * old_size + found.place, few);
  });
}
