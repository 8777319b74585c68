/*
segment_rows: combine rows by segment number. FN is a struct below.

  x        (panels · columns, height, size) T
  order    (n,) int64, numbers of the rows, by segment, then as they come
  starts   (present,) int64, where in order each segment that has rows begins
  present  (present,) int64, the numbers of these segments
  out      (panels of the result · columns, rows, size) T, zero where nothing is written

A thread to an element of a segment, over its rows in order: the same sum every time. x is read once
and what has rows is written once, the least possible. Sums in double.
*/
#include "lines.cuh"

struct Total {
  static __device__ __forceinline__ double of(double a, double b) { return a + b; }
  static __device__ __forceinline__ double result(double a, index_t rows) { return a; }
};

struct Mean {
  static __device__ __forceinline__ double of(double a, double b) { return a + b; }
  static __device__ __forceinline__ double result(double a, index_t rows) { return a / double(rows); }
};

struct Largest {
  static __device__ __forceinline__ double of(double a, double b) { return nan_max(a, b); }
  static __device__ __forceinline__ double result(double a, index_t rows) { return a; }
};

struct Smallest {
  static __device__ __forceinline__ double of(double a, double b) { return nan_min(a, b); }
  static __device__ __forceinline__ double result(double a, index_t rows) { return a; }
};

extern "C" __global__ void segment_rows(const T* __restrict__ x, const index_t* __restrict__ order,
                                        const index_t* __restrict__ starts,
                                        const index_t* __restrict__ present, T* __restrict__ out,
                                        index_t n, index_t segments, index_t columns,
                                        index_t height, index_t rows, index_t size) {
  each_item(segments * columns * size, [&](index_t i) {
    const index_t segment = i / (columns * size), column = i / size % columns, element = i % size;
    const index_t first = starts[segment], stop = group_stop(starts, segment, segments, n);
    double value = 0;
    for (index_t j = first; j < stop; ++j) {
      const index_t panel = order[j] / height * columns + column;
      const double next = widen(x[(panel * height + order[j] % height) * size + element]);
      value = j == first ? next : FN::of(value, next);
    }
    value = FN::result(value, stop - first);
    const index_t panel = present[segment] / rows * columns + column;
    out[(panel * rows + present[segment] % rows) * size + element] =
        Narrow<T>::from(typename Accumulator<T>::type(value));
  });
}
