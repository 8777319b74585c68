/*
reduce_axis: one element for each line along an axis of a block. FN is a struct below.

  x        (blocks, outer, length, inner) T
  lengths  (blocks,) int64, elements of each line that take part
  out      (blocks, outer, inner) T

A warp or a thread to a line. x is read once from memory and out written once, the least possible;
Variance and Norm walk twice and meet the cache. Sums in double; deterministic. The norm is scaled
by the largest element (Blue, "A portable Fortran program to find the Euclidean norm of a vector",
1978).
*/
#include "lines.cuh"

// The elements of a line that one of its lanes takes.
struct Elements {
  const T* first;
  index_t valid, inner;
  int lane, lanes;

  template <class Visit> __device__ __forceinline__ void each(Visit visit) const {
    for (index_t j = lane; j < valid; j += lanes) visit(widen(first[j * inner]));
  }

  __device__ __forceinline__ double sum() const {
    double total = 0;
    each([&](double v) { total += v; });
    return over_lanes<Sum>(total, lanes);
  }
};

struct Total {
  static __device__ __forceinline__ double of(const Elements& x) { return x.sum(); }
};

struct Mean {
  static __device__ __forceinline__ double of(const Elements& x) { return x.sum() / double(x.valid); }
};

struct Largest {
  static __device__ __forceinline__ double of(const Elements& x) {
    double best = -double(CU_INF);
    x.each([&](double v) { best = nan_max(best, v); });
    return over_lanes<Max>(best, x.lanes);
  }
};

struct Smallest {
  static __device__ __forceinline__ double of(const Elements& x) {
    double best = double(CU_INF);
    x.each([&](double v) { best = nan_min(best, v); });
    return over_lanes<Min>(best, x.lanes);
  }
};

struct Variance {
  static __device__ __forceinline__ double of(const Elements& x) {
    const double mean = Mean::of(x);
    double squares = 0;
    x.each([&](double v) { squares += (v - mean) * (v - mean); });
    return over_lanes<Sum>(squares, x.lanes) / double(x.valid);
  }
};

struct Norm {
  static __device__ __forceinline__ double of(const Elements& x) {
    double largest = 0;
    x.each([&](double v) { largest = nan_max(largest, fabs(v)); });
    const double scale = norm_scale(over_lanes<Max>(largest, x.lanes));
    double squares = 0;
    x.each([&](double v) { squares += (v / scale) * (v / scale); });
    return sqrt(over_lanes<Sum>(squares, x.lanes)) * scale;
  }
};

extern "C" __global__ void reduce_axis(const T* __restrict__ x,
                                       const index_t* __restrict__ lengths, T* __restrict__ out,
                                       index_t blocks, index_t outer, index_t length,
                                       index_t inner) {
  each_line(blocks, outer, length, inner, [&](Line line, int lane, int lanes) {
    const index_t valid = within(lengths[line.block], length);
    const Elements elements = {x + line.start, valid, inner, lane, lanes};
    const double result = FN::of(elements);
    if (lane == 0) out[line.result] = Narrow<T>::from(typename Accumulator<T>::type(result));
  });
}
