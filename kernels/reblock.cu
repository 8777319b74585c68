/*
reblock: a whole tensor, cut into other blocks.

  x    (old blocks, old_size) T, the full grid in row-major order
  out  (blocks, size) T, the full grid in row-major order

Along each of AXES axes, n are the elements of a new block, e of the tensor and o of an old block, and
g the old blocks. A thread for 16 bytes of the result, or for one element; `packed` says that 16 bytes
of a new block are 16 bytes of an old one. x is read once, without its padding, and out written once,
the least possible. Deterministic.
*/
#include "cuts.cuh"

extern "C" __global__ void reblock(const T* __restrict__ x, T* __restrict__ out, index_t blocks,
    index_t size, index_t old_size, bool packed, index_t n0, index_t n1, index_t n2, index_t n3,
    index_t n4, index_t n5, index_t n6, index_t n7, index_t e0, index_t e1, index_t e2, index_t e3,
    index_t e4, index_t e5, index_t e6, index_t e7, index_t o0, index_t o1, index_t o2, index_t o3,
    index_t o4, index_t o5, index_t o6, index_t o7, index_t g0, index_t g1, index_t g2, index_t g3,
    index_t g4, index_t g5, index_t g6, index_t g7) {
  const Cuts cuts = {ALL_AXES(n), ALL_AXES(e), ALL_AXES(o), ALL_AXES(g)};
  packed = packed && is_aligned16(x) && is_aligned16(out);
  over_blocks<T>(blocks, size, packed, [&](index_t block, index_t at, auto few) {
    index_t rest = block;
    const auto start = [&](int axis) {
      const index_t grid = (cuts.extent[axis] + cuts.block[axis] - 1) / cuts.block[axis];
      const index_t key = rest % grid;
      rest /= grid;
      return key * cuts.block[axis];
    };
    const auto first = [](int, index_t) { return index_t(0); };
    const Found found = find_in_old<AXES>(cuts, at, start, first);
    T* to = out + block * size + at;
    if (found.is_there)
      copy_few(to, x + found.number * old_size + found.place, few);
    else
      clear_few(to, few);
  });
}
