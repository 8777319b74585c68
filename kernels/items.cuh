// One thread for each of many items.
#include "common.cuh"

// Calls body(item) for every number below `count`, shared out among all threads of the grid.
template <class Body> __device__ __forceinline__ void each_item(index_t count, Body body) {
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) body(i);
}
