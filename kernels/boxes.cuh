// Boxes of elements that are written in order and read with steps; accesses of 16 bytes.
#include "row.cuh"

#define MAX_AXES 8

// Kernels take one scalar for each axis: a table would have to be copied to the device first.
#define ALL_AXES(n) {n##0, n##1, n##2, n##3, n##4, n##5, n##6, n##7}

typedef index_t Axes[MAX_AXES];

// Where element `i` of a box, counted in row-major order, lies in an array with these steps between
// neighbours along each axis. Only the first N axes are there.
template <int N>
__device__ __forceinline__ index_t place_in(const Axes& extents, const Axes& steps, index_t i) {
  index_t place = 0;
#pragma unroll
  for (int axis = N - 1; axis > 0; --axis) {
    const index_t rest = i / extents[axis];
    place += (i - rest * extents[axis]) * steps[axis];
    i = rest;
  }
  return place + i * steps[0];
}

// N neighbouring elements as they are stored, in one access.
template <class T, int N> __device__ __forceinline__ Few<T, N> read_few(const T* p, Count<N>) {
  return *reinterpret_cast<const Few<T, N>*>(p);
}

template <class T, int N>
__device__ __forceinline__ void copy_few(T* to, const T* from, Count<N> n) {
  write_few(to, read_few(from, n));
}

template <class T, int N> __device__ __forceinline__ void clear_few(T* to, Count<N>) {
  write_few(to, Few<T, N>());
}

// Number of this thread in the grid, and how many there are.
__device__ __forceinline__ index_t grid_thread() {
  return index_t(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ index_t grid_threads() { return index_t(gridDim.x) * blockDim.x; }

template <int N, class Body>
__device__ __forceinline__ void over_few(index_t blocks, index_t size, Body body) {
  const index_t each = size / N;
#pragma unroll 1
  for (index_t i = grid_thread(); i < blocks * each; i += grid_threads()) {
    const index_t block = i / each;
    body(block, (i - block * each) * N, Count<N>());
  }
}

// Shares out blocks of `size` elements among all threads of the grid and calls
// body(block, element, Count<n>). `packed` says that 16 bytes can be moved wherever the body goes,
// and that they divide `size`.
template <class T, class Body>
__device__ __forceinline__ void over_blocks(index_t blocks, index_t size, bool packed, Body body) {
  if (packed)
    over_few<Pack<T>::size>(blocks, size, body);
  else
    over_few<1>(blocks, size, body);
}

// The same for one run of any length: body(element, Count<n>).
template <int STEP, class Body>
__device__ __forceinline__ void over_elements(index_t count, bool packed, Body body) {
  const index_t bulk = packed ? count - count % STEP : 0;
#pragma unroll 1
  for (index_t at = grid_thread() * STEP; at < bulk; at += grid_threads() * STEP)
    body(at, Count<STEP>());
#pragma unroll 1
  for (index_t at = bulk + grid_thread(); at < count; at += grid_threads()) body(at, Count<1>());
}
