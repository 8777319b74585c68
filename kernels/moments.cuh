// Mean and sum of squared differences to it, in one walk over the elements.
#include "common.cuh"

// Elements are added up as differences to one of them, the first: the sum of squares alone would
// cancel where the mean is large. This one cancels little wherever the first element lies: its own
// square is a part of the result, so what is lost is at most a rounding for each element (Chan,
// Golub and LeVeque, "Algorithms for computing the sample variance", 1983, shifted data).
template <class A> struct Moments {
  A shift, count, sum, squares;

  static __device__ __forceinline__ Moments none() { return {0, 0, 0, 0}; }

  // `weight` elements whose mean is `value`, and whose squared differences to it are `within`.
  __device__ __forceinline__ void add(A value, A weight = 1, A within = 0) {
    const bool is_finite = value - value == 0;
    if (count == 0 && is_finite) shift = value;
    const A off = value - shift;
    count += weight;
    sum += off * weight;
    squares += off * off * weight + within;
  }

  __device__ __forceinline__ A total() const { return shift * count + sum; }

  // Squared differences to `mean`, which may be that of more elements than these.
  __device__ __forceinline__ A about(A mean) const {
    const A off = shift - mean;
    return squares + off * (2 * sum + off * count);
  }
};

// What rounding has made negative is 0.
template <class A> __device__ __forceinline__ A not_negative(A x) { return nan_max(x, A(0)); }
