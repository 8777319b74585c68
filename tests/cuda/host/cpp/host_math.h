// Functions of CUDA that <math.h> lacks or means otherwise.
//
// Kernels are compiled with -ftz=true: float arithmetic takes denormals for zeros. The scheduler
// sets the processor to do so; logarithms of <math.h> then give nonsense for them, ours -inf.
#pragma once

HOST_INLINE float host_flushed(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x; }
HOST_INLINE float host_logf(float x) { return logf(host_flushed(x)); }
HOST_INLINE float host_log2f(float x) { return log2f(host_flushed(x)); }
HOST_INLINE float host_powf(float x, float y) { return powf(host_flushed(x), y); }
#define logf host_logf
#define log2f host_log2f
#define powf host_powf
#define __expf expf  // the C library has the names with underscores for itself
#define __logf host_logf

HOST_INLINE float rsqrtf(float x) { return 1.0f / sqrtf(x); }
HOST_INLINE double rsqrt(double x) { return 1.0 / sqrt(x); }
HOST_INLINE float __fdividef(float x, float y) { return x / y; }
HOST_INLINE float __frcp_rn(float x) { return 1.0f / x; }
HOST_INLINE float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }

HOST_INLINE void sincospif(float x, float* sine, float* cosine) {
  *sine = float(sin(M_PI * x));
  *cosine = float(cos(M_PI * x));
}

HOST_INLINE int __popc(unsigned x) { return __builtin_popcount(x); }
HOST_INLINE int __ffs(int x) { return __builtin_ffs(x); }
HOST_INLINE int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }

template <class T> HOST_INLINE T min(T x, T y) { return y < x ? y : x; }
template <class T> HOST_INLINE T max(T x, T y) { return x < y ? y : x; }

template <class T> HOST_INLINE T __ldg(const T* p) { return *p; }
