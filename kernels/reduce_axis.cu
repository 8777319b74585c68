/*
reduce_axis: one element for each line along an axis of a block, by the struct FN.

  x        (n, outer, extent, inner) T
  lengths  (n,) index_t: elements of each line that count
  out      (n, outer, inner) T

A warp, a block, or a share of a block for each line: the struct TEAM, see lines.cuh. x is read once
and out written once, the least possible; Variance, and Norm of double, read a line twice, the
second time from cache. Sums are formed in double. Deterministic.
*/
#include "lines.cuh"
#include "order.cuh"

struct Total {
  template <class Line> static __device__ __forceinline__ double of(const Line& line) {
    return line.template reduce<Sum>(0.0, [](T v) { return double(v); });
  }
};

struct Mean {
  template <class Line> static __device__ __forceinline__ double of(const Line& line) {
    return Total::of(line) / double(line.length);
  }
};

// From the differences to the mean: the sum of squares alone would cancel.
struct Variance {
  template <class Line> static __device__ __forceinline__ double of(const Line& line) {
    const double mean = Mean::of(line);
    const double squares = line.template reduce<Sum>(0.0, [&](T v) {
      return (double(v) - mean) * (double(v) - mean);
    });
    return squares / double(line.length);
  }
};

// The square of a float fits a double. That of a double may not: it is divided by the largest
// first (Blue, "A portable Fortran program to find the Euclidean norm of a vector", 1978).
struct Norm {
  template <class Line> static __device__ __forceinline__ double of(const Line& line) {
    double scale = 1;
    if (sizeof(T) == 8) {
      const double largest = line.template reduce<Max>(0.0, [](T v) { return fabs(double(v)); });
      if (largest > 0 && largest < double(CU_INF)) scale = largest;
    }
    const double squares = line.template reduce<Sum>(0.0, [&](T v) {
      const double scaled = sizeof(T) == 8 ? double(v) / scale : double(v);
      return scaled * scaled;
    });
    return sqrt(squares) * scale;
  }
};

template <class Which> struct Extreme {
  template <class Line> static __device__ __forceinline__ T of(const Line& line) {
    const auto neutral = Which::neutral(T(0));
    return Order<T>::back(line.template reduce<Which>(neutral, [](T v) { return Which::key(v); }));
  }
};

extern "C" __global__ void reduce_axis(const T* __restrict__ x,
                                       const index_t* __restrict__ lengths, T* __restrict__ out,
                                       index_t lines, index_t rest, index_t extent,
                                       index_t inner) {
  CU_DYN_SHARED(double, scratch);
  const Lines all = {lines, rest, extent, inner};
  over_lines<TEAM>(x, lengths, all, scratch, [&](const auto& line) {
    const auto result = FN::of(line);
    if (line.writes()) out[line.number] = T(result);
  });
}
