// A block walks along a row: 16 bytes at a time where every address allows it, the rest one by one.
#include "common.cuh"

// N neighbouring elements, loaded and stored 16 bytes at a time, or one by one where N is 1.
template <class T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Few { T v[N]; };

// How many elements a load takes, as a type: so a lambda knows it when it is compiled.
template <int N> struct Count {};

// Elements as they are stored -> as they are computed with.
template <class T, int N>
__device__ __forceinline__ Few<typename Accumulator<T>::type, N> load_few(const T* p, Count<N>) {
  const Few<T, N> stored = *reinterpret_cast<const Few<T, N>*>(p);
  Few<typename Accumulator<T>::type, N> few;
#pragma unroll
  for (int i = 0; i < N; ++i) few.v[i] = widen(stored.v[i]);
  return few;
}

template <class T, int N>
__device__ __forceinline__ Few<T, N> narrow_few(const Few<typename Accumulator<T>::type, N>& few) {
  Few<T, N> stored;
#pragma unroll
  for (int i = 0; i < N; ++i) stored.v[i] = Narrow<T>::from(few.v[i]);
  return stored;
}

template <class T, int N>
__device__ __forceinline__ void store_few(T* p, const Few<typename Accumulator<T>::type, N>& few) {
  *reinterpret_cast<Few<T, N>*>(p) = narrow_few<T>(few);
}

// To global memory, elements as they are stored. 16 bytes by an instruction of our own: NVRTC 13.5
// makes four stores of 4 bytes of the assignment in some kernels, and one of 16 in others.
template <class T, int N> __device__ __forceinline__ void write_few(T* p, const Few<T, N>& few) {
#ifndef CUHOST
  if constexpr (sizeof(few) == 16) {
    const uint4 bits = *reinterpret_cast<const uint4*>(&few);
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(p)),
                 "r"(bits.x), "r"(bits.y), "r"(bits.z), "r"(bits.w)
                 : "memory");
    return;
  }
#endif
  *reinterpret_cast<Few<T, N>*>(p) = few;
}

template <class A, int N> __device__ __forceinline__ Few<A, N> same_few(A value, Count<N>) {
  Few<A, N> few;
#pragma unroll
  for (int i = 0; i < N; ++i) few.v[i] = value;
  return few;
}

template <class A, int N>
__device__ __forceinline__ void add_few(Few<A, N>& to, const Few<A, N>& few) {
#pragma unroll
  for (int i = 0; i < N; ++i) to.v[i] += few.v[i];
}

// Whether rows `stride` elements apart, the first at `p`, can be read 16 bytes at a time.
template <class T> __device__ __forceinline__ bool is_packed(const T* p, index_t stride) {
  return is_aligned16(p) && stride % Pack<T>::size == 0;
}

// Calls body(first element, Count<N>) for all of a row, shared out among `lanes` threads, of which
// this is number `lane`. Every walk gives a thread the same elements: what it wrote in one, it may
// read in the next without a barrier. `packed` says that all rows the body touches are so.
template <class T, class Body>
__device__ __forceinline__ void along_row(index_t width, bool packed, Body body, int lane,
                                          int lanes) {
  const int step = Pack<T>::size;
  const index_t bulk = packed ? width - width % step : 0;
  for (index_t at = index_t(lane) * step; at < bulk; at += index_t(lanes) * step)
    body(at, Count<step>());
  for (index_t at = bulk + lane; at < width; at += lanes) body(at, Count<1>());
}

// The same among all threads of the block.
template <class T, class Body>
__device__ __forceinline__ void along_row(index_t width, bool packed, Body body) {
  along_row<T>(width, packed, body, threadIdx.x, blockDim.x);
}

// Zeros from `width` to `stride`: padding.
template <class T>
__device__ __forceinline__ void clear_padding(T* row, index_t width, index_t stride) {
  for (index_t at = width + threadIdx.x; at < stride; at += blockDim.x)
    row[at] = Narrow<T>::from(typename Accumulator<T>::type(0));
}
