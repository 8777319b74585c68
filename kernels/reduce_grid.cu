/*
reduce_grid: combine the blocks of a full grid along some of its axes, element by element.

  x        (blocks, size) T
  numbers  (kept · combined,) int64, the blocks that meet in each block of the result, in order
  limits   (combined · axes,) int64, elements of such a block that take part, along each axis
  inner    (axes,) int64, elements of a block within each axis
  extents  (axes,) int64, elements of a block along each axis
  out      (kept, size) R

A thread to an element of the result; where no block takes part it is 0. FN is Largest or Smallest,
or Place: the number, among those that meet, of the first that has the largest element. x is read at
most once and out written once, the least possible. Deterministic.
*/
#include "lines.cuh"

typedef Accumulator<T>::type A;

struct Largest {
  static __device__ __forceinline__ Best<A> of(Best<A> a, Best<A> b) {
    return a.place < 0 ? b : Best<A>{nan_max(a.value, b.value), a.place};
  }
  static __device__ __forceinline__ R result(Best<A> x) { return Narrow<R>::from(x.value); }
};

struct Smallest {
  static __device__ __forceinline__ Best<A> of(Best<A> a, Best<A> b) {
    return a.place < 0 ? b : Best<A>{nan_min(a.value, b.value), a.place};
  }
  static __device__ __forceinline__ R result(Best<A> x) { return Narrow<R>::from(x.value); }
};

struct Place {
  static __device__ __forceinline__ Best<A> of(Best<A> a, Best<A> b) { return better(a, b); }
  static __device__ __forceinline__ R result(Best<A> x) { return R(x.place); }
};

extern "C" __global__ void reduce_grid(const T* __restrict__ x,
                                       const index_t* __restrict__ numbers,
                                       const index_t* __restrict__ limits,
                                       const index_t* __restrict__ inner,
                                       const index_t* __restrict__ extents, R* __restrict__ out,
                                       index_t kept, index_t combined, index_t axes, index_t size) {
  each_item(kept * size, [&](index_t i) {
    const index_t element = i % size, first = i / size * combined;
    Best<A> best = {A(0), -1};
    for (index_t c = 0; c < combined; ++c) {
      bool valid = true;
      for (index_t a = 0; a < axes; ++a)
        valid = valid && element / inner[a] % extents[a] < limits[c * axes + a];
      if (valid) best = FN::of(best, Best<A>{A(widen(x[numbers[first + c] * size + element])), c});
    }
    out[i] = best.place < 0 ? R(0) : FN::result(best);
  });
}
