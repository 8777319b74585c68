/*
zip_elements: FN of the elements of two arrays that broadcast. FN is a struct of elementwise.cuh.

  x    X, read with the steps s0, s1, … along the axes of the result
  y    Y, read with the steps t0, t1, …
  out  (count,) T, its axes n0, n1, … of which AXES are there

Steps are 0 along axes that repeat. A thread for 16 bytes of the result, or for one element. What
does not repeat is read once and out written once, the least possible. Deterministic.
*/
#include "zips.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void zip_elements(const X* __restrict__ x, const Y* __restrict__ y,
    T* __restrict__ out, index_t count, bool packed, index_t n0, index_t n1, index_t n2,
    index_t n3, index_t n4, index_t n5, index_t n6, index_t n7, index_t s0, index_t s1, index_t s2,
    index_t s3, index_t s4, index_t s5, index_t s6, index_t s7, index_t t0, index_t t1, index_t t2,
    index_t t3, index_t t4, index_t t5, index_t t6, index_t t7) {
  const Axes extents = ALL_AXES(n), steps_x = ALL_AXES(s), steps_y = ALL_AXES(t);
  const bool same_x = steps_x[AXES - 1] == 0, same_y = steps_y[AXES - 1] == 0;
  packed = packed && is_aligned16(out) && (same_x || is_aligned16(x)) &&
           (same_y || is_aligned16(y));
  over_blocks<T>(1, count, packed, [&](index_t, index_t at, auto few) {
    auto values = read_along<A>(x + place_in<AXES>(extents, steps_x, at), same_x, few);
    const auto others = read_along<A>(y + place_in<AXES>(extents, steps_y, at), same_y, few);
    apply_few<FN>(values, others);
    store_few(out + at, values);
  });
}
