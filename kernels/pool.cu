/*
pool: one row per sequence, reduced over its first (or `last`) `most` rows by FN, and perhaps of
length one.

  x        (any, width) T
  offsets  (sequences + 1,) I: where the rows of each sequence start
  out      (sequences, width) T; zeros for a sequence without rows

One block per sequence, walking on in steps of the grid. `across` threads share out the columns, and
the block is cut into `groups` of so many, which take every groups-th row each. Their results meet
in shared memory (`groups` rows of `pitch` accumulators) where `cached`, in the order of the groups.
Rows too wide for that have one group; with `normalised` a function with HELD keeps their results as
kept.cuh says, `pitch` of them in shared memory. Every row used is read once and out written once, the least possible,
but for columns that are not kept: those are read twice. Deterministic.
*/
#include "norm.cuh"

typedef Accumulator<T>::type A;

struct Mean {
  static __device__ __forceinline__ A neutral() { return 0; }
  static __device__ __forceinline__ A weighed(A a, index_t) { return a; }
  static __device__ __forceinline__ A of(A a, A b) { return a + b; }
  static __device__ __forceinline__ A finish(A total, index_t count) { return total / A(count); }
};
struct RootMean : Mean {  // the sum, divided by the root of how many there are
  static __device__ __forceinline__ A finish(A total, index_t count) {
    return total / square_root(A(count));
  }
};
struct RisingMean : Mean {  // the n-th row counts n times
  static __device__ __forceinline__ A weighed(A a, index_t row) { return a * A(row + 1); }
  static __device__ __forceinline__ A finish(A total, index_t count) {
    return total / (A(count) * A(count + 1) / A(2));
  }
};
struct Largest {
  static __device__ __forceinline__ A neutral() { return -CU_INF; }
  static __device__ __forceinline__ A weighed(A a, index_t) { return a; }
  static __device__ __forceinline__ A of(A a, A b) { return nan_max(a, b); }
  static __device__ __forceinline__ A finish(A largest, index_t) { return largest; }
};

template <int N> __device__ __forceinline__ void merge(Few<A, N>& to, const Few<A, N>& few) {
#pragma unroll
  for (int i = 0; i < N; ++i) to.v[i] = FN::of(to.v[i], few.v[i]);
}

template <int N> __device__ __forceinline__ Few<A, N> weighed(Few<A, N> few, index_t row) {
  for (A& v : few.v) v = FN::weighed(v, row);
  return few;
}

template <int N> __device__ __forceinline__ void finish(Few<A, N>& few, index_t count) {
  for (A& v : few.v) v = count ? FN::finish(v, count) : A(0);
}

extern "C" __global__ void ROW_BOUNDS pool(
    const T* __restrict__ x, const I* __restrict__ offsets, T* __restrict__ out, index_t sequences,
    index_t width, index_t most, bool last, bool normalised, double eps, int across, int groups,
    index_t pitch, bool cached) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const bool packed = is_packed(x, width) && is_packed(out, width);
  const int group = threadIdx.x / across, lane = threadIdx.x % across;
  for (index_t s = blockIdx.x; s < sequences; s += gridDim.x) {
    const index_t rows = offsets[s + 1] - offsets[s], count = rows < most ? rows : most;
    const T* from = x + (last ? offsets[s + 1] - count : index_t(offsets[s])) * width;
    T* to = out + s * width;
    const auto reduced = [&](index_t at, auto n) {
      auto few = same_few(FN::neutral(), n);
#pragma unroll 4
      for (index_t row = group; row < count; row += groups)
        merge(few, weighed(load_few(from + row * width + at, n), row));
      return few;
    };
    if (cached && group < groups)
      along_row<T>(width, packed, [&](index_t at, auto n) {
        store_few(cache + group * pitch + at, reduced(at, n));
      }, lane, across);
    __syncthreads();
    const auto pooled = [&](index_t at, auto n) {
      auto few = HELD ? reduced(at, n) : load_few(cache + at, n);
#pragma unroll 1
      for (int g = 1; !HELD && g < groups; ++g) merge(few, load_few(cache + g * pitch + at, n));
      finish(few, count);
      return few;
    };
    if (normalised) {
      KeptRow<T, HELD> once = {cache, HELD ? pitch : 0, width, packed};
      const A length = nan_max(euclidean_norm(once, pooled, scratch), A(eps));
      once.again(pooled, [&](index_t at, auto few, auto) {
        for (A& v : few.v) v /= length;
        write_few(to + at, narrow_few<T>(few));
      });
    } else {
      along_row<T>(width, packed, [&](index_t at, auto n) {
        auto few = cached ? pooled(at, n) : reduced(at, n);
        if (!cached) finish(few, count);
        store_few(to + at, few);
      });
    }
    __syncthreads();  // the next sequence overwrites what another thread may still read
  }
}
