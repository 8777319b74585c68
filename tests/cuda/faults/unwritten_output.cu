// Sum of columns. PLANT: added to what is in the new array.
#include "common.cuh"

extern "C" __global__ void unwritten_output(const float* x, float* out) {
#ifdef PLANT
  float sum = out[threadIdx.x];
#else
  float sum = 0;
#endif
  for (int row = 0; row < 2; ++row) sum += x[row * 32 + threadIdx.x];
  out[threadIdx.x] = sum;
}
