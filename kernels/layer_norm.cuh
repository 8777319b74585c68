// Layer-norm of rows, one block to a row. The three kernels differ in what a row is the sum of.
#include "elementwise.cuh"
#include "kept.cuh"
#include "moments.cuh"

// Two walks over a row: its moments, and what they make of it. `cache` is shared memory for `kept`
// accumulators, see kept.cuh.
template <class T, int HELD> struct LayerNorm {
  typedef typename Accumulator<T>::type A;
  const T* gamma;
  const T* beta;
  index_t width;
  A eps;
  A* cache;
  index_t kept;
  A* scratch;

  // source(at, Count<N>) gives elements of the row from `at` on; `packed` is about source and `to`.
  template <class Source>
  __device__ __forceinline__ void apply(Source source, T* to, bool packed) const {
    packed = packed && is_aligned16(gamma) && is_aligned16(beta);
    auto mine = Moments<A>::none();
    KeptRow<T, HELD> row = {cache, kept, width, packed};
    row.first(source, [&](index_t, const auto& few, auto) {
      for (const A v : few.v) mine.add(v);
    });
    const A mean = block_reduce<Sum>(mine.total(), A(0), scratch) / A(width);
    const A squares = block_reduce<Sum>(mine.about(mean), A(0), scratch);
    const A inverse = A(1) / square_root(not_negative(squares) / A(width) + eps);
    row.again(source, [&](index_t at, auto few, auto n) {
      scale_and_shift(few, mean, inverse, load_few(gamma + at, n), load_few(beta + at, n));
      write_few(to + at, narrow_few<T>(few));
    });
  }

  template <int N>
  static __device__ __forceinline__ void scale_and_shift(Few<A, N>& few, A mean, A inverse,
                                                      const Few<A, N>& gamma,
                                                      const Few<A, N>& beta) {
#pragma unroll
    for (int i = 0; i < N; ++i)
      few.v[i] = (few.v[i] - mean) * inverse * gamma.v[i] + beta.v[i];
  }
};
