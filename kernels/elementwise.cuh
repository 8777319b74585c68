// Functions of one and of two elements: the structs that kernels are compiled with as FN.
//
// Named as in kernels/elementwise.py: gelu_tanh is GeluTanh. They compute in the accumulator's
// type by the formulas given there, so NaN, infinities and -inf·0 come out in the same places.
#include "common.cuh"

// Functions of the math library by one name for float and double; within 2 units in the last place.
__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }
__device__ __forceinline__ float error_function(float x) { return erff(x); }
__device__ __forceinline__ double error_function(double x) { return erf(x); }
__device__ __forceinline__ float hyperbolic_tangent(float x) { return tanhf(x); }
__device__ __forceinline__ double hyperbolic_tangent(double x) { return tanh(x); }
__device__ __forceinline__ float square_root(float x) { return sqrtf(x); }
__device__ __forceinline__ double square_root(double x) { return sqrt(x); }
__device__ __forceinline__ float absolute(float x) { return fabsf(x); }
__device__ __forceinline__ double absolute(double x) { return fabs(x); }

struct Identity {
  template <class A> static __device__ __forceinline__ A of(A x) { return x; }
};
struct Abs {
  template <class A> static __device__ __forceinline__ A of(A x) { return absolute(x); }
};
struct Exp {
  template <class A> static __device__ __forceinline__ A of(A x) { return exponential(x); }
};
// x·Φ(x) with the exact normal distribution.
struct Gelu {
  template <class A> static __device__ __forceinline__ A of(A x) {
    return A(0.5) * (A(1) + error_function(x * A(0.70710678118654752))) * x;
  }
};
struct GeluTanh {
  template <class A> static __device__ __forceinline__ A of(A x) {
    const A inner = A(0.79788456080286536) * (x + A(0.044715) * x * x * x);  // sqrt(2 / pi)
    return A(0.5) * (A(1) + hyperbolic_tangent(inner)) * x;
  }
};
struct Negative {
  template <class A> static __device__ __forceinline__ A of(A x) { return -x; }
};
struct Relu {
  template <class A> static __device__ __forceinline__ A of(A x) { return x < A(0) ? A(0) : x; }
};
// exp of what is not positive: it cannot overflow.
struct Sigmoid {
  template <class A> static __device__ __forceinline__ A of(A x) {
    const A e = exponential(-absolute(x));
    return (x >= A(0) ? A(1) : e) / (A(1) + e);
  }
};
struct QuickGelu {
  template <class A> static __device__ __forceinline__ A of(A x) {
    return x * Sigmoid::of(A(1.702) * x);
  }
};
struct Silu {
  template <class A> static __device__ __forceinline__ A of(A x) { return x * Sigmoid::of(x); }
};
struct Sqrt {
  template <class A> static __device__ __forceinline__ A of(A x) { return square_root(x); }
};
struct Square {
  template <class A> static __device__ __forceinline__ A of(A x) { return x * x; }
};
struct Tanh {
  template <class A> static __device__ __forceinline__ A of(A x) { return hyperbolic_tangent(x); }
};

struct Add {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return a + b; }
};
struct Divide {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return a / b; }
};
struct Maximum {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return nan_max(a, b); }
};
struct Minimum {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return nan_min(a, b); }
};
struct Multiply {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return a * b; }
};
struct Subtract {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return a - b; }
};
