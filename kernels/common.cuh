// Shared by every kernel: types, loads and stores, sums over a block.
//
// One source for NVRTC (the device) and for a C++ compiler that checks it on the host; the host's
// header defines CUHOST and the two macros for shared memory itself, because C++ has no such thing.
#ifndef CUHOST
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define CU_SHARED(type, name, dims) __shared__ type name dims
#define CU_DYN_SHARED(type, name)                               \
  extern __shared__ __align__(16) unsigned char name##_bytes[]; \
  type* name = reinterpret_cast<type*>(name##_bytes)
#endif

typedef long long index_t;  // every index and extent: arrays may pass 2^31 elements

#define CU_INF __int_as_float(0x7f800000)

// What elements are added up in: float, unless they are double.
template <class T> struct Accumulator { typedef float type; };
template <> struct Accumulator<double> { typedef double type; };

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ double widen(double x) { return x; }
__device__ __forceinline__ float widen(__half x) { return __half2float(x); }
__device__ __forceinline__ float widen(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T> struct Narrow {
  static __device__ __forceinline__ T from(T x) { return x; }
};
template <> struct Narrow<__half> {
  static __device__ __forceinline__ __half from(float x) { return __float2half_rn(x); }
};
template <> struct Narrow<__nv_bfloat16> {
  static __device__ __forceinline__ __nv_bfloat16 from(float x) { return __float2bfloat16(x); }
};

// 16 bytes at a time. A row may be read so where its address and its length allow it.
template <class T> struct alignas(16) Pack {
  static const int size = 16 / sizeof(T);
  T v[size];
};

__device__ __forceinline__ bool is_aligned16(const void* p) {
  return (reinterpret_cast<size_t>(p) & 15) == 0;
}

template <class T> __device__ __forceinline__ Pack<T> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T>*>(p);
}

template <class T> __device__ __forceinline__ void store_pack(T* p, const Pack<T>& x) {
  *reinterpret_cast<Pack<T>*>(p) = x;
}

// Larger of the two; NaN if either is (fmaxf would drop it).
template <class A> __device__ __forceinline__ A nan_max(A a, A b) {
  return a > b || a != a ? a : b;
}

template <class A> __device__ __forceinline__ A nan_min(A a, A b) {
  return a < b || a != a ? a : b;
}

struct Sum {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return a + b; }
};
struct Max {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return nan_max(a, b); }
};
struct Min {
  template <class A> static __device__ __forceinline__ A of(A a, A b) { return nan_min(a, b); }
};

// Over the 32 lanes of a warp, all of which must call; every lane gets the result.
template <class Op, class A> __device__ __forceinline__ A warp_reduce(A x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1)
    x = Op::of(x, __shfl_xor_sync(0xffffffffu, x, step));
  return x;
}

// Over all threads of a block (whole warps, every thread must call), in the same order every time.
// `scratch` is shared memory for 32 elements and free to be used again when this returns.
template <class Op, class A>
__device__ __forceinline__ A block_reduce(A x, A neutral, A* scratch) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  x = warp_reduce<Op>(x);
  if (warps == 1) return x;
  if (lane == 0) scratch[warp] = x;
  __syncthreads();
  x = warp_reduce<Op>(lane < warps ? scratch[lane] : neutral);
  __syncthreads();
  return x;
}
