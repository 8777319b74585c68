/*
variance_of_moments: sum of squared differences of whole lines -> their variance.

  states  (groups, 2, rest) double
  out     (groups, rest) T
  total   what is divided by

One thread for each element. Half of states is read once, and out written once, the least possible.
*/
#include "common.cuh"

extern "C" __global__ void variance_of_moments(const double* __restrict__ states,
                                               T* __restrict__ out, index_t groups, index_t rest,
                                               double total) {
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < groups * rest; i += step) {
    const index_t group = i / rest;
    out[i] = T(states[(2 * group + 1) * rest + i - group * rest] / total);
  }
}
