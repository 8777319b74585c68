/*
reduce_grid: the blocks of a full grid combined along one of its axes, element by element.

  x    (before, along, after, outer, length, inner) T: the grid, then a block
  out  (before, after, outer, length, inner): T, or index_t for argmax

`extent` is how many elements the tensor has along the axis, `length` of which lie in a block: the
last block may be shorter, and its padding takes no part. Where nothing is combined out is zero.

One thread for each element of out, neighbouring threads for neighbouring elements. x is read once
and out written once, the least possible for one axis. Deterministic.
*/
#include "order.cuh"

struct Grid {
  index_t before, along, after;  // of blocks
  index_t size;                  // elements of a block
  index_t length, inner, extent;
};

// Calls body(element of out, first of the elements combined, how many), which lie `after` blocks
// apart.
template <class Body> __device__ __forceinline__ void over_elements(const Grid& grid, Body body) {
  const index_t count = grid.before * grid.after * grid.size;
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const index_t block = i / grid.size, element = i - block * grid.size;
    const index_t before = block / grid.after, after = block - before * grid.after;
    const index_t place = element / grid.inner % grid.length;  // along the axis, in the block
    // 0 where the tensor ends before this place.
    const index_t blocks = (grid.extent - place + grid.length - 1) / grid.length;
    const index_t first = (before * grid.along * grid.after + after) * grid.size + element;
    body(i, first, blocks);
  }
}

template <class Which>
__device__ __forceinline__ void extremes(const T* x, T* out, const Grid& grid) {
  over_elements(grid, [&](index_t i, index_t first, index_t blocks) {
    Order<T>::Key best = Which::neutral(T(0));
#pragma unroll 4
    for (index_t b = 0; b < blocks; ++b)
      best = Which::of(best, Which::key(x[first + b * grid.after * grid.size]));
    out[i] = blocks > 0 ? Order<T>::back(best) : T(0);
  });
}

extern "C" __global__ void reduce_grid(const T* __restrict__ x, T* __restrict__ out,
                                       index_t before, index_t along, index_t after, index_t size,
                                       index_t length, index_t inner, index_t extent) {
  extremes<WHICH>(x, out, {before, along, after, size, length, inner, extent});
}

extern "C" __global__ void reduce_grid_argmax(const T* __restrict__ x, index_t* __restrict__ out,
                                              index_t before, index_t along, index_t after,
                                              index_t size, index_t length, index_t inner,
                                              index_t extent) {
  const Grid grid = {before, along, after, size, length, inner, extent};
  over_elements(grid, [&](index_t i, index_t first, index_t blocks) {
    index_t winner = 0;
    Order<T>::Key best = Order<T>::lowest;
#pragma unroll 4
    for (index_t b = 0; b < blocks; ++b) {
      const Order<T>::Key key = rank(x[first + b * after * size]);
      if (key > best) {
        best = key;
        winner = b;
      }
    }
    out[i] = winner;
  });
}
