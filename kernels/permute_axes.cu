/*
permute_axes: axes in another order.

  x    (count,) T, contiguous, read with the steps s0, s1, … along the axes of the result
  out  (count,) T, its axes n0, n1, … of which AXES are there
  scattered  x is gone through instead: n are its axes, s steps in the result along them

A thread for 16 bytes of the result, or for one element. x is read once and out written once, the
least possible. Where the last axis of the result is another one than that of x, and both are long
enough, permute_axes_tiled transposes squares through shared memory (see tiles.cuh): a block for
each square; n, s and t are extents, steps in x and steps in out of the other axes. Deterministic.
*/
#include "tiles.cuh"

extern "C" __global__ void permute_axes(const T* __restrict__ x, T* __restrict__ out,
    index_t count, bool packed, bool scattered, index_t n0, index_t n1, index_t n2, index_t n3,
    index_t n4, index_t n5, index_t n6, index_t n7, index_t s0, index_t s1, index_t s2, index_t s3,
    index_t s4, index_t s5, index_t s6, index_t s7) {
  const Axes extents = ALL_AXES(n), steps = ALL_AXES(s);
  packed = packed && is_aligned16(x) && is_aligned16(out);
  over_blocks<T>(1, count, packed, [&](index_t, index_t at, auto few) {
    const index_t place = place_in<AXES>(extents, steps, at);
    copy_few(out + (scattered ? place : at), x + (scattered ? at : place), few);
  });
}

extern "C" __global__ void permute_axes_tiled(const T* __restrict__ x, T* __restrict__ out,
    index_t matrices, index_t rows, index_t columns, index_t from_column, index_t inner,
    index_t to_row, index_t to_outer,
    index_t n0, index_t n1, index_t n2, index_t n3, index_t n4, index_t n5, index_t n6, index_t n7,
    index_t s0, index_t s1, index_t s2, index_t s3, index_t s4, index_t s5, index_t s6, index_t s7,
    index_t t0, index_t t1, index_t t2, index_t t3, index_t t4, index_t t5, index_t t6,
    index_t t7) {
  CU_SHARED(T, square, [TILE][TILE + 1]);
  const Axes extents = ALL_AXES(n), read = ALL_AXES(s), written = ALL_AXES(t);
  const Turned turned = {rows, columns, from_column, inner, to_row, to_outer};
  const auto start = [&](index_t matrix, const T*& from, T*& to) {
    from = x + place_in<AXES>(extents, read, matrix);
    to = out + place_in<AXES>(extents, written, matrix);
  };
  over_tiles(matrices, turned, to_row > columns, start, square);
}
