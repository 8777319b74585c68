// Maximum, and sum of exp of the differences to it, in one walk over the elements.
#include "elementwise.cuh"

// What is taken off before exp: -inf off -inf would be NaN, where another part may be finite.
template <class A> __device__ __forceinline__ A base_of(A largest) {
  return largest == A(-CU_INF) ? A(0) : largest;
}

// The sum is scaled anew whenever a larger element comes (Milakov and Gimelshein, "Online normalizer
// calculation for softmax", 2018).
template <class A> struct SoftmaxState {
  A largest, total;

  static __device__ __forceinline__ SoftmaxState none() { return {A(-CU_INF), A(0)}; }

  // An element; or a part whose maximum is `value`, and whose sum of exp is `weight`.
  __device__ __forceinline__ void add(A value, A weight = A(1)) {
    const A next = nan_max(largest, value), base = base_of(next);
    if (next != largest) total *= exponential(largest - base);
    total += weight * exponential(value - base);
    largest = next;
  }

  // The sum for a maximum of more elements than these.
  __device__ __forceinline__ A scaled(A all) const {
    return total * exponential(largest - base_of(all));
  }
};
