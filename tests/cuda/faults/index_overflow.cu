// Elements of a huge matrix, of which only the first are there. PLANT: indices of 32 bits.
#include "common.cuh"

extern "C" __global__ void index_overflow(const float* x, float* out, index_t n, int stride) {
#ifdef PLANT
  const index_t at = int(threadIdx.x) * stride;
#else
  const index_t at = index_t(threadIdx.x) * stride;
#endif
  out[threadIdx.x] = at >= 0 && at < n ? x[at] : 0;
}
