/*
zip_pairs: FN of pairs of blocks, element by element. FN is a struct of elementwise.cuh.

  x       (number of blocks, size_x) X, read with the steps s0, s1, … along the axes of a result
  y       (number of blocks, size_y) Y, read with the steps t0, t1, …
  rows_x  (pairs,) which block of x; -1 for zeros
  rows_y  (pairs,) which block of y; -1 for zeros
  out     (pairs, size) T, written with the steps u0, u1, …

A block of the result has the extents n0, n1, … along AXES axes, in the order in which it is gone
through. Steps are 0 along axes that repeat. A thread for 16 bytes of the result, or for one
element. Both blocks of a pair are read once for it, what repeats within a block from cache, and out
is written once: the least possible where no pair shares a block with another. Deterministic.
*/
#include "zips.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void zip_pairs(const X* __restrict__ x, const Y* __restrict__ y,
    const index_t* __restrict__ rows_x, const index_t* __restrict__ rows_y, T* __restrict__ out,
    index_t pairs, index_t size_x, index_t size_y, index_t size, bool packed, index_t n0,
    index_t n1, index_t n2, index_t n3, index_t n4, index_t n5, index_t n6, index_t n7, index_t s0,
    index_t s1, index_t s2, index_t s3, index_t s4, index_t s5, index_t s6, index_t s7, index_t t0,
    index_t t1, index_t t2, index_t t3, index_t t4, index_t t5, index_t t6, index_t t7, index_t u0,
    index_t u1, index_t u2, index_t u3, index_t u4, index_t u5, index_t u6, index_t u7) {
  const Axes extents = ALL_AXES(n), steps_x = ALL_AXES(s), steps_y = ALL_AXES(t);
  const Axes written = ALL_AXES(u);
  const bool same_x = steps_x[AXES - 1] == 0, same_y = steps_y[AXES - 1] == 0;
  packed = packed && is_aligned16(out) && (same_x || is_aligned16(x)) &&
           (same_y || is_aligned16(y));
  over_blocks<T>(pairs, size, packed, [&](index_t pair, index_t at, auto few) {
    const index_t row_x = rows_x[pair], row_y = rows_y[pair];
    auto values = same_few(A(0), few), others = same_few(A(0), few);
    if (row_x >= 0) {
      const index_t place = row_x * size_x + place_in<AXES>(extents, steps_x, at);
      values = read_along<A>(x + place, same_x, few);
    }
    if (row_y >= 0) {
      const index_t place = row_y * size_y + place_in<AXES>(extents, steps_y, at);
      others = read_along<A>(y + place, same_y, few);
    }
    apply_few<FN>(values, others);
    store_few(out + pair * size + place_in<AXES>(extents, written, at), values);
  });
}
