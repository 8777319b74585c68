/*
recut: some blocks of a tensor, cut into some other blocks.

  x        (number of old blocks, old_size) T
  starts   (blocks, AXES) the first element of each new block along each axis of the tensor
  numbers  (blocks, slots) the old blocks that each new one lies over, in row-major order; -1 for
           zeros
  out      (blocks, size) T

Along each of AXES axes, n are the elements of a new block, e of the tensor and o of an old block, and
g the old blocks that a new one lies over at most, `slots` in all. A thread for 16 bytes of the
result, or for one element; `packed` says that 16 bytes of a new block are 16 bytes of an old one.
Elements of x that are wanted are read once and out written once, the least possible, beside starts
and numbers. Deterministic.
*/
#include "cuts.cuh"

extern "C" __global__ void recut(const T* __restrict__ x, const index_t* __restrict__ starts,
    const index_t* __restrict__ numbers, T* __restrict__ out, index_t blocks, index_t size,
    index_t old_size, index_t slots, bool packed, index_t n0, index_t n1, index_t n2, index_t n3,
    index_t n4, index_t n5, index_t n6, index_t n7, index_t e0, index_t e1, index_t e2, index_t e3,
    index_t e4, index_t e5, index_t e6, index_t e7, index_t o0, index_t o1, index_t o2, index_t o3,
    index_t o4, index_t o5, index_t o6, index_t o7, index_t g0, index_t g1, index_t g2, index_t g3,
    index_t g4, index_t g5, index_t g6, index_t g7) {
  const Cuts cuts = {ALL_AXES(n), ALL_AXES(e), ALL_AXES(o), ALL_AXES(g)};
  packed = packed && is_aligned16(x) && is_aligned16(out);
  over_blocks<T>(blocks, size, packed, [&](index_t block, index_t at, auto few) {
    const auto start = [&](int axis) { return starts[block * AXES + axis]; };
    const auto first = [&](int axis, index_t begin) { return begin / cuts.old[axis]; };
    const Found found = find_in_old<AXES>(cuts, at, start, first);
    const index_t number = found.is_there ? numbers[block * slots + found.number] : -1;
    T* to = out + block * size + at;
    if (number >= 0)
      copy_few(to, x + number * old_size + found.place, few);
    else
      clear_few(to, few);
  });
}
