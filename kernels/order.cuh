// Floating numbers as whole numbers in the same order.
//
// Kernels are compiled with -ftz=true: comparisons of float take denormals for zeros. The largest
// of a few denormals is found exactly this way, and NaN, which is above (or below) all, costs
// nothing. -0 is below 0.
#include "common.cuh"

template <class T> struct Order;

template <> struct Order<float> {
  typedef int Key;
  static const Key lowest = -2147483647 - 1;
  static const Key highest = 2147483647;
  // The bits are sign and magnitude: those of negative numbers are turned round.
  static __device__ __forceinline__ Key turned(Key bits) { return bits ^ ((bits >> 31) & highest); }
  static __device__ __forceinline__ Key of(float x) { return turned(__float_as_int(x)); }
  static __device__ __forceinline__ float back(Key key) { return __int_as_float(turned(key)); }
};

template <> struct Order<double> {
  typedef index_t Key;
  static const Key lowest = -9223372036854775807LL - 1;
  static const Key highest = 9223372036854775807LL;
  static __device__ __forceinline__ Key turned(Key bits) { return bits ^ ((bits >> 63) & highest); }
  static __device__ __forceinline__ Key of(double x) { return turned(__double_as_longlong(x)); }
  static __device__ __forceinline__ double back(Key key) {
    return __longlong_as_double(turned(key));
  }
};

// The larger of two keys, and where to begin; NaN is the highest key.
struct Largest {
  template <class T> static __device__ __forceinline__ typename Order<T>::Key key(T x) {
    return x != x ? Order<T>::highest : Order<T>::of(x);
  }
  template <class T> static __device__ __forceinline__ typename Order<T>::Key neutral(T) {
    return Order<T>::lowest;
  }
  template <class K> static __device__ __forceinline__ K of(K a, K b) { return a > b ? a : b; }
};

// The smaller; NaN is the lowest key.
struct Smallest {
  template <class T> static __device__ __forceinline__ typename Order<T>::Key key(T x) {
    return x != x ? Order<T>::lowest : Order<T>::of(x);
  }
  template <class T> static __device__ __forceinline__ typename Order<T>::Key neutral(T) {
    return Order<T>::highest;
  }
  template <class K> static __device__ __forceinline__ K of(K a, K b) { return a < b ? a : b; }
};

// NumPy's argmax: NaN is largest, and -0 equals 0, so the first of them is found.
template <class T> __device__ __forceinline__ typename Order<T>::Key rank(T x) {
  const typename Order<T>::Key key = Largest::key(x);
  return key == -1 ? 0 : key;  // -1 is the key of -0
}
