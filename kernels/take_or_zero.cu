/*
take_or_zero: blocks by number, -1 for zeros.

  x     (number of blocks, size) T
  rows  (blocks,) which block of x each block of the result is
  out   (blocks, size) T

A thread for 16 bytes, or for one element. Chosen blocks are read once and out written once, the
least possible. Deterministic.
*/
#include "boxes.cuh"

extern "C" __global__ void take_or_zero(const T* __restrict__ x, const index_t* __restrict__ rows,
    T* __restrict__ out, index_t blocks, index_t size) {
  const bool packed = is_packed(x, size) && is_aligned16(out);
  over_blocks<T>(blocks, size, packed, [&](index_t block, index_t at, auto few) {
    const index_t row = rows[block];
    if (row < 0)
      clear_few(out + block * size + at, few);
    else
      copy_few(out + block * size + at, x + row * size + at, few);
  });
}
