/*
merge_parts: results of parts of a line -> the result of the line. FN is a struct below.

  parts   (count, size) T
  counts  (count,) int64, elements of each part
  starts  (groups,) int64, rising: the first part of each line
  out     (groups, size) T

A thread to a line, over its parts in order. Parts are read once from memory and out written once,
the least possible. Sums in double; deterministic. Norms are scaled by the largest (Blue, 1978).
*/
#include "lines.cuh"

// The parts of one line, from `first` to `stop`.
struct Parts {
  const T* values;  // of part 0
  const index_t* counts;
  index_t first, stop, size;
  double total;

  __device__ __forceinline__ double at(index_t part) const { return widen(values[part * size]); }
};

struct Total {
  static __device__ __forceinline__ double of(const Parts& x) {
    double sum = 0;
    for (index_t part = x.first; part < x.stop; ++part) sum += x.at(part);
    return sum;
  }
};

struct Mean {
  static __device__ __forceinline__ double of(const Parts& x) {
    double sum = 0;
    for (index_t part = x.first; part < x.stop; ++part)
      sum += x.at(part) * (double(x.counts[part]) / x.total);
    return sum;
  }
};

struct Largest {
  static __device__ __forceinline__ double of(const Parts& x) {
    double best = x.at(x.first);
    for (index_t part = x.first + 1; part < x.stop; ++part) best = nan_max(best, x.at(part));
    return best;
  }
};

struct Smallest {
  static __device__ __forceinline__ double of(const Parts& x) {
    double best = x.at(x.first);
    for (index_t part = x.first + 1; part < x.stop; ++part) best = nan_min(best, x.at(part));
    return best;
  }
};

struct Norm {
  static __device__ __forceinline__ double of(const Parts& x) {
    const double scale = norm_scale(Largest::of(x));
    double squares = 0;
    for (index_t part = x.first; part < x.stop; ++part)
      squares += (x.at(part) / scale) * (x.at(part) / scale);
    return sqrt(squares) * scale;
  }
};

extern "C" __global__ void merge_parts(const T* __restrict__ parts,
                                       const index_t* __restrict__ counts,
                                       const index_t* __restrict__ starts, T* __restrict__ out,
                                       index_t count, index_t groups, index_t size,
                                       index_t total) {
  each_item(groups * size, [&](index_t i) {
    const index_t group = i / size;
    const Parts line = {parts + i % size, counts, starts[group],
                        group_stop(starts, group, groups, count), size, double(total)};
    out[i] = Narrow<T>::from(typename Accumulator<T>::type(FN::of(line)));
  });
}
