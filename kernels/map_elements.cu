/*
map_elements: FN of every element. FN is a struct of elementwise.cuh.

  x    (count,) T
  out  (count,) T

A thread for 16 bytes, or for one element. x is read once and out written once, the least possible.
Deterministic.
*/
#include "boxes.cuh"
#include "elementwise.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void map_elements(const T* __restrict__ x, T* __restrict__ out,
    index_t count) {
  const bool packed = is_aligned16(x) && is_aligned16(out);
  over_elements<Pack<T>::size>(count, packed, [&](index_t at, auto n) {
    auto few = load_few(x + at, n);
    for (A& v : few.v) v = FN::of(v);
    store_few(out + at, few);
  });
}
