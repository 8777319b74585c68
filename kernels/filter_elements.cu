/*
filter_elements: elements x for which `x COMPARE value` holds, zeros for the others.

  x    (count,) T
  out  (count,) T

Compared in double, with a value that is not rounded to T. A thread for 16 bytes, or for one element.
x is read once and out written once, the least possible. Deterministic.
*/
#include "boxes.cuh"
#include "convert.cuh"

extern "C" __global__ void filter_elements(const T* __restrict__ x, T* __restrict__ out,
    index_t count, double value) {
  const bool packed = is_aligned16(x) && is_aligned16(out);
  over_elements<Pack<T>::size>(count, packed, [&](index_t at, auto n) {
    auto few = read_few(x + at, n);
    for (T& v : few.v)
      if (!(to_double(plain(v)) COMPARE value)) v = T();
    write_few(out + at, few);
  });
}
