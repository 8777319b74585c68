/*
place_blocks: the blocks of one part, each put in its place.

  part    (blocks, size) T
  places  (blocks,) where in the result each block goes, no two in one place
  out     (number of blocks, size) T

One launch for each part. A thread for 16 bytes, or for one element. Every block is read once and
written once, the least possible. Deterministic.
*/
#include "boxes.cuh"

extern "C" __global__ void place_blocks(const T* __restrict__ part,
    const index_t* __restrict__ places, T* __restrict__ out, index_t blocks, index_t size) {
  const bool packed = is_packed(part, size) && is_aligned16(out);
  over_blocks<T>(blocks, size, packed, [&](index_t block, index_t at, auto few) {
    copy_few(out + places[block] * size + at, part + block * size + at, few);
  });
}
