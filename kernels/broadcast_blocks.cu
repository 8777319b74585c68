/*
broadcast_blocks: chosen blocks, the elements of each repeated.

  x     (number of blocks, from_size) T
  rows  (blocks,) which block of x each block of the result is
  out   (blocks, size) T, the axes of a block n0, n1, … of which AXES are there, read with the steps
        s0, s1, …: 0 along an axis that repeats

A thread for 16 bytes of the result, or for one element. out is written once; what repeats is read
from cache. Deterministic.
*/
#include "boxes.cuh"

extern "C" __global__ void broadcast_blocks(const T* __restrict__ x,
    const index_t* __restrict__ rows, T* __restrict__ out, index_t blocks, index_t from_size,
    index_t size, bool packed, bool repeats, index_t n0, index_t n1, index_t n2, index_t n3,
    index_t n4, index_t n5, index_t n6, index_t n7, index_t s0, index_t s1, index_t s2, index_t s3,
    index_t s4, index_t s5, index_t s6, index_t s7) {
  const Axes extents = ALL_AXES(n), steps = ALL_AXES(s);
  packed = packed && (repeats || is_aligned16(x)) && is_aligned16(out);
  over_blocks<T>(blocks, size, packed, [&](index_t block, index_t at, auto few) {
    const T* from = x + rows[block] * from_size + place_in<AXES>(extents, steps, at);
    T* to = out + block * size + at;
    write_few(to, repeats ? same_few(*from, few) : read_few(from, few));
  });
}
