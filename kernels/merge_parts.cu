/*
merge_parts: results of the parts of each line, combined by the struct FN.

  parts   (count, rest) T
  counts  (count,) index_t: elements of each part
  starts  (groups,) index_t: the first part of each line
  out     (groups, rest) T
  total   elements that a mean is divided by

One thread for each line, parts in order: deterministic. parts is read once and out written once, the
least possible. Sums are formed in double.
*/
#include "groups.cuh"
#include "order.cuh"
#include "squares.cuh"

// One element of the parts of a line.
struct Parts {
  const T* from;
  const index_t* counts;
  index_t first, stop, rest;
  double total;

  // Calls body(part, its element) in order.
  template <class Body> __device__ __forceinline__ void each(Body body) const {
#pragma unroll 4
    for (index_t part = first; part < stop; ++part) body(part, from[part * rest]);
  }
};

struct Total {
  static __device__ __forceinline__ T of(const Parts& line) {
    double sum = 0;
    line.each([&](index_t, T v) { sum += double(v); });
    return T(sum);
  }
};

struct Mean {
  static __device__ __forceinline__ T of(const Parts& line) {
    double sum = 0;
    line.each([&](index_t part, T v) { sum += double(v) * (line.counts[part] / line.total); });
    return T(sum);
  }
};

struct Norm {
  static __device__ __forceinline__ T of(const Parts& line) {
    auto squares = Squares<T>::none();
    line.each([&](index_t, T v) { squares.add(v); });
    return T(squares.root());
  }
};

template <class Which> struct Extreme {
  static __device__ __forceinline__ T of(const Parts& line) {
    auto key = Which::neutral(T(0));
    line.each([&](index_t, T v) { key = Which::of(key, Which::key(v)); });
    return Order<T>::back(key);
  }
};

extern "C" __global__ void merge_parts(const T* __restrict__ parts,
                                       const index_t* __restrict__ counts,
                                       const index_t* __restrict__ starts, T* __restrict__ out,
                                       index_t groups, index_t count, index_t rest, double total) {
  const Groups all = {starts, groups, count, rest};
  over_groups<1>(all, [&](index_t group, index_t element, index_t first, index_t stop) {
    const Parts line = {parts + element, counts, first, stop, rest, total};
    out[group * rest + element] = FN::of(line);
  });
}
