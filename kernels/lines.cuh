// Lines along one axis of blocks: blocks are (count, outer, length, inner), a line is `length`
// elements `inner` apart. Where they are neighbours a warp takes a line, else a thread, whose
// neighbours then take the lines beside it: both read memory in order.
#include "common.cuh"

struct Line {
  index_t block;   // the block it is in
  index_t start;   // its first element
  index_t result;  // its number among all lines
};

// Elements of a line that take part: a number larger than the line stands for all of them.
__device__ __forceinline__ index_t within(index_t wanted, index_t length) {
  return wanted < length ? wanted : length;
}

__device__ __forceinline__ int line_lanes(index_t inner) { return inner == 1 ? 32 : 1; }

// Calls body(line, lane, lanes) for all lines; lanes that share a line all come.
template <class Body>
__device__ __forceinline__ void each_line(index_t blocks, index_t outer, index_t length,
                                          index_t inner, Body body) {
  const int lanes = line_lanes(inner);
  const index_t thread = index_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const index_t step = index_t(gridDim.x) * blockDim.x / lanes;
  for (index_t i = thread / lanes; i < blocks * outer * inner; i += step) {
    const index_t beside = i / inner;
    const Line line = {beside / outer, beside * length * inner + i % inner, i};
    body(line, int(thread % lanes), lanes);
  }
}

// What the lanes of a line have found, combined; each of them gets it.
template <class Op, class A> __device__ __forceinline__ A over_lanes(A x, int lanes) {
  return lanes == 32 ? warp_reduce<Op>(x) : x;
}

// Calls body(item) for every number below `count`, shared out among all threads of the grid.
template <class Body> __device__ __forceinline__ void each_item(index_t count, Body body) {
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) body(i);
}

// Where the parts of a group end.
__device__ __forceinline__ index_t group_stop(const index_t* starts, index_t group, index_t groups,
                                              index_t parts) {
  return group + 1 < groups ? starts[group + 1] : parts;
}

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }

// 1 where a square of something so large stays finite, else that largest (Blue, 1978).
__device__ __forceinline__ double norm_scale(double largest) {
  return largest > 0 && largest < double(CU_INF) ? largest : 1.0;
}

// A value and where it is; nothing yet where the place is -1.
template <class A> struct Best {
  A value;
  index_t place;
};

// The larger of two, NaN being largest; of equal ones that in front.
template <class A> __device__ __forceinline__ Best<A> better(Best<A> a, Best<A> b) {
  if (a.place < 0 || b.place < 0) return a.place < 0 ? b : a;
  const bool nan_a = a.value != a.value, nan_b = b.value != b.value;
  if (nan_a != nan_b) return nan_a ? a : b;
  if (nan_a || a.value == b.value) return a.place < b.place ? a : b;
  return a.value > b.value ? a : b;
}
