/*
row_softmax: softmax of the first `width` elements of each row, zeros behind.

  x    (rows, stride) T
  out  (rows, stride) T

One block per row, walking on in steps of the grid. The row is kept in `cache` (shared memory,
`width` accumulators) where `cached`, so x is read once and out written once: the least possible.
Wider rows are read three times. Deterministic. exp is expf, within 2 ulp.
*/
#include "common.cuh"

typedef Accumulator<T>::type A;

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }

extern "C" __global__ void row_softmax(const T* __restrict__ x, T* __restrict__ out, index_t rows,
                                       index_t width, index_t stride, bool cached) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const int step = Pack<T>::size;
  const bool packed = is_aligned16(x) && is_aligned16(out) && stride % step == 0;
  const index_t packs = packed ? width / step : 0;  // the rest one by one
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * stride;
    T* to = out + row * stride;
    A largest = -CU_INF;
    for (index_t p = threadIdx.x; p < packs; p += blockDim.x) {
      const Pack<T> pack = load_pack(from + p * step);
#pragma unroll
      for (int i = 0; i < step; ++i) {
        const A value = widen(pack.v[i]);
        largest = nan_max(largest, value);
        if (cached) cache[p * step + i] = value;
      }
    }
    for (index_t i = packs * step + threadIdx.x; i < width; i += blockDim.x) {
      const A value = widen(from[i]);
      largest = nan_max(largest, value);
      if (cached) cache[i] = value;
    }
    largest = block_reduce<Max>(largest, A(-CU_INF), scratch);
    A total = 0;
    // Each thread meets again the elements it has put there itself: no barrier is needed.
    for (index_t p = threadIdx.x; p < packs; p += blockDim.x) {
#pragma unroll
      for (int i = 0; i < step; ++i) {
        const index_t at = p * step + i;
        const A e = exponential((cached ? cache[at] : widen(from[at])) - largest);
        total += e;
        if (cached) cache[at] = e;
      }
    }
    for (index_t i = packs * step + threadIdx.x; i < width; i += blockDim.x) {
      const A e = exponential((cached ? cache[i] : widen(from[i])) - largest);
      total += e;
      if (cached) cache[i] = e;
    }
    total = block_reduce<Sum>(total, A(0), scratch);
    const A inverse = A(1) / total;
    for (index_t p = threadIdx.x; p < packs; p += blockDim.x) {
      Pack<T> pack;
#pragma unroll
      for (int i = 0; i < step; ++i) {
        const index_t at = p * step + i;
        const A e = cached ? cache[at] : exponential(widen(from[at]) - largest);
        pack.v[i] = Narrow<T>::from(e * inverse);
      }
      store_pack(to + p * step, pack);
    }
    for (index_t i = packs * step + threadIdx.x; i < stride; i += blockDim.x) {
      A e = 0;
      if (i < width) e = (cached ? cache[i] : exponential(widen(from[i]) - largest)) * inverse;
      to[i] = Narrow<T>::from(e);
    }
  }
}
