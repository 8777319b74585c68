/*
reduce_axis: one element for each line along an axis of a block, by the struct FN.

  x        (n, outer, extent, inner) T
  lengths  (n,) index_t: elements of each line that count
  out      (n, outer, inner) T

A warp, a block, or a share of a block for each line: the struct TEAM, see lines.cuh. x is read once
and out written once, the least possible. Sums are formed in double. Deterministic.
*/
#include "lines.cuh"
#include "moments.cuh"
#include "order.cuh"
#include "squares.cuh"

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

struct Variance {
  template <class Line> static __device__ __forceinline__ double of(const Line& line) {
    auto mine = Moments<double>::none();
    line.each([&](index_t, T v) { mine.add(double(v)); });
    const double mean = line.template merged<Sum>(mine.total(), 0.0) / double(line.length);
    const double squares = line.template merged<Sum>(mine.about(mean), 0.0);
    return not_negative(squares) / double(line.length);
  }
};

struct Norm {
  template <class Line> static __device__ __forceinline__ double of(const Line& line) {
    auto mine = Squares<T>::none();
    line.each([&](index_t, T v) { mine.add(v); });
    mine.sum = line.template merged<Sum>(mine.sum, 0.0);
    if (mine.wide) {
      mine.small = line.template merged<Sum>(mine.small, 0.0);
      mine.large = line.template merged<Sum>(mine.large, 0.0);
      mine.largest = line.template merged<Max>(mine.largest, 0.0);
    }
    return mine.root();
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
