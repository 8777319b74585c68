/*
cast: the same numbers in another type.

  x    (count,) X
  out  (count,) T

Floats are rounded to the nearest one of T, to even in the middle; to whole numbers they are cut off
towards 0. What T cannot hold is infinite if T is a float, and undefined if it is a whole number; a
float that would be denormal is 0 where x is double. A thread for as many elements as are 16 bytes in
the wider of the two types, or for one. x is read once and out written once, the least possible.
Deterministic.
*/
#include "boxes.cuh"
#include "convert.cuh"

extern "C" __global__ void cast(const X* __restrict__ x, T* __restrict__ out, index_t count) {
  const int step = 16 / (sizeof(X) > sizeof(T) ? sizeof(X) : sizeof(T));
  const bool packed = is_aligned16(x) && is_aligned16(out);
  over_elements<step>(count, packed, [&](index_t at, auto n) {
    const auto few = read_few(x + at, n);
    write_few(out + at, converted<T>(few));
  });
}
