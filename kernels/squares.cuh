// Sums of squares whose root is a norm, in one walk over the elements.
#include "common.cuh"

// The square of a float fits a double. That of a double may not: large elements are added up made
// smaller as well, and small ones made larger (Blue, "A portable Fortran program to find the
// Euclidean norm of a vector", 1978; there each element goes to one of the three sums).
template <class T> struct Squares {
  static const bool wide = sizeof(T) == 8;
  double sum, small, large, largest;

  static __device__ __forceinline__ Squares none() { return {0, 0, 0, 0}; }
  static __device__ __forceinline__ double up() { return 9.7453140114e+288; }       // 2^960
  static __device__ __forceinline__ double down() { return 2.2227587494850775e-162; }  // 2^-537

  __device__ __forceinline__ void add(T element) {
    const double v = double(element);
    sum += v * v;
    if (!wide) return;
    small += (v * up()) * (v * up());
    large += (v * down()) * (v * down());
    largest = nan_max(largest, fabs(v));
  }

  __device__ __forceinline__ double root() const {
    if (wide && largest > 1e140) return sqrt(large) / down();
    if (wide && largest < 1e-140) return sqrt(small) / up();
    return sqrt(sum);
  }
};
