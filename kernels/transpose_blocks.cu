/*
transpose_blocks: chosen blocks, each with its axes in another order.

  x     (number of blocks, size) T
  rows  (blocks,) which block of x each block of the result is
  out   (blocks, size) T, the axes of a block n0, n1, … of which AXES are there, read with the steps
        s0, s1, …

A thread for 16 bytes of the result, or for one element. Every block is read once and written once,
the least possible. Where the last axis of a block is another one than before, and both are long
enough, transpose_blocks_tiled transposes squares through shared memory (see tiles.cuh): a block of
threads for each square, `matrices` in each block of elements; n, s and t are extents, steps in x
and steps in out of the other axes. Deterministic.
*/
#include "tiles.cuh"

extern "C" __global__ void transpose_blocks(const T* __restrict__ x,
    const index_t* __restrict__ rows, T* __restrict__ out, index_t blocks, index_t size,
    bool packed, index_t n0, index_t n1, index_t n2, index_t n3, index_t n4, index_t n5,
    index_t n6, index_t n7, index_t s0, index_t s1, index_t s2, index_t s3, index_t s4, index_t s5,
    index_t s6, index_t s7) {
  const Axes extents = ALL_AXES(n), steps = ALL_AXES(s);
  packed = packed && is_aligned16(x) && is_aligned16(out);
  over_blocks<T>(blocks, size, packed, [&](index_t block, index_t at, auto few) {
    const T* from = x + rows[block] * size + place_in<AXES>(extents, steps, at);
    copy_few(out + block * size + at, from, few);
  });
}

extern "C" __global__ void transpose_blocks_tiled(const T* __restrict__ x,
    const index_t* __restrict__ chosen, T* __restrict__ out, index_t blocks, index_t size,
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
    const index_t block = matrix / matrices, inside = matrix - block * matrices;
    from = x + chosen[block] * size + place_in<AXES>(extents, read, inside);
    to = out + block * size + place_in<AXES>(extents, written, inside);
  };
  over_tiles(blocks * matrices, turned, false, start, square);
}
