// Functions of two arrays that broadcast.
#include "boxes.cuh"
#include "elementwise.cuh"

// FN of N pairs, into the first of each.
template <class FN, class A, int N>
__device__ __forceinline__ void apply_few(Few<A, N>& to, const Few<A, N>& others) {
#pragma unroll
  for (int i = 0; i < N; ++i) to.v[i] = FN::of(to.v[i], others.v[i]);
}

// N elements along the last axis: neighbours, or the same one where the step is 0.
template <class A, class T, int N>
__device__ __forceinline__ Few<A, N> read_along(const T* p, bool repeats, Count<N> few) {
  const Few<T, N> stored = repeats ? same_few(*p, few) : read_few(p, few);
  Few<A, N> values;
#pragma unroll
  for (int i = 0; i < N; ++i) values.v[i] = A(widen(stored.v[i]));
  return values;
}
