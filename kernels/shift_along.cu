/*
shift_along: runs of one part, moved to where they lie in the result.

  part  T, from the first element that moves on
  out   T, from the place of that element on

`before` × `blocks` × `middle` runs of `run` neighbouring elements move. Along the first axis they
lie from_before elements apart in the part and to_before in the result, along the others
block_step and middle_step in both. Two launches for each part. A thread for 16 bytes, or for one
element. What moves is read once and written once, the least possible, after the result has been
filled with zeros. Deterministic.
*/
#include "boxes.cuh"

extern "C" __global__ void shift_along(const T* __restrict__ part, T* __restrict__ out,
    index_t before, index_t blocks, index_t middle, index_t run, index_t from_before,
    index_t to_before, index_t block_step, index_t middle_step, bool packed) {
  packed = packed && is_aligned16(part) && is_aligned16(out);
  over_blocks<T>(before * blocks * middle, run, packed, [&](index_t i, index_t at, auto few) {
    const index_t line = i / middle, outer = line / blocks;
    const index_t inside = (line - outer * blocks) * block_step + (i - line * middle) * middle_step;
    copy_few(out + outer * to_before + inside + at, part + outer * from_before + inside + at, few);
  });
}
