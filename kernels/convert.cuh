// Numbers of one type as numbers of another.
#include "row.cuh"

// A number that C++ can compute with: half types become float.
__device__ __forceinline__ float plain(__half x) { return widen(x); }
__device__ __forceinline__ float plain(__nv_bfloat16 x) { return widen(x); }
template <class X> __device__ __forceinline__ X plain(X x) { return x; }

// To double without a loss: a conversion of float alone would take denormals for 0 (-ftz=true).
template <class X> __device__ __forceinline__ double to_double(X x) { return double(x); }
__device__ __forceinline__ double to_double(float x) {
  const int bits = __float_as_int(x), fraction = bits & 0x007fffff;
  if ((bits & 0x7f800000) != 0 || fraction == 0) return double(x);
  const double size = fraction * 1.4012984643248171e-45;  // 2^-149
  return bits < 0 ? -size : size;
}

// To float, on the way to a half type. A double is rounded towards zero, with the last bit set where
// something was lost: rounding that once more gives what rounding the double once would ("round to
// odd", Boldo and Melquiond, 2008).
template <class X> __device__ __forceinline__ float towards_half(X x) { return float(x); }
__device__ __forceinline__ float towards_half(double x) {
  const float nearest = float(x);
  const double back = nearest;
  if (back == x || x != x) return nearest;
  const int bits = __float_as_int(nearest);
  const bool away = x < 0 ? back < x : back > x;
  return __int_as_float((away ? bits - 1 : bits) | 1);
}

template <class T> struct Convert {
  template <class X> static __device__ __forceinline__ T from(X x) { return T(x); }
};
template <> struct Convert<double> {
  template <class X> static __device__ __forceinline__ double from(X x) { return to_double(x); }
};
template <> struct Convert<__half> {
  template <class X> static __device__ __forceinline__ __half from(X x) {
    return Narrow<__half>::from(towards_half(x));
  }
};
template <> struct Convert<__nv_bfloat16> {
  template <class X> static __device__ __forceinline__ __nv_bfloat16 from(X x) {
    return Narrow<__nv_bfloat16>::from(towards_half(x));
  }
};

template <class T, class X, int N>
__device__ __forceinline__ Few<T, N> converted(const Few<X, N>& few) {
  Few<T, N> result;
#pragma unroll
  for (int i = 0; i < N; ++i) result.v[i] = Convert<T>::from(plain(few.v[i]));
  return result;
}
