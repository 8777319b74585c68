/*
segment_rows: rows of a full grid combined by segment, by the struct FN.

  x       (panels, columns, height, width) T
  order   (n,) index_t: rows of the tensor, in order of segment, then as they come
  starts  (segments + 1,) index_t: where each segment starts in order, and where the last ends
  out     (segments / rows, columns, rows, width) T; segments without rows are zero

One thread for each element of out, neighbouring threads for neighbouring elements of a row. x is
read once and out written once, the least possible; order comes from cache for all threads of a
segment but the first. Rows are combined in order: deterministic. Sums are formed in double.
*/
#include "order.cuh"

// One column of a segment: its elements in order.
struct Segment {
  const T* from;
  const index_t* order;
  index_t first, stop, columns, height, width;

  template <class Body> __device__ __forceinline__ void each(Body body) const {
#pragma unroll 4
    for (index_t at = first; at < stop; ++at) {
      const index_t row = order[at], panel = row / height;
      body(from[(panel * columns * height + (row - panel * height)) * width]);
    }
  }
};

struct Total {
  static __device__ __forceinline__ double of(const Segment& segment) {
    double sum = 0;
    segment.each([&](T v) { sum += double(v); });
    return sum;
  }
};

struct Mean {
  static __device__ __forceinline__ double of(const Segment& segment) {
    return Total::of(segment) / double(segment.stop - segment.first);
  }
};

template <class Which> struct Extreme {
  static __device__ __forceinline__ T of(const Segment& segment) {
    auto key = Which::neutral(T(0));
    segment.each([&](T v) { key = Which::of(key, Which::key(v)); });
    return Order<T>::back(key);
  }
};

extern "C" __global__ void segment_rows(const T* __restrict__ x,
                                        const index_t* __restrict__ order,
                                        const index_t* __restrict__ starts, T* __restrict__ out,
                                        index_t count, index_t columns, index_t height,
                                        index_t rows, index_t width) {
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const index_t line = i / width, element = i - line * width;
    const index_t block = line / rows, panel = block / columns, column = block - panel * columns;
    const index_t number = panel * rows + (line - block * rows);
    const T* from = x + column * height * width + element;
    const Segment segment = {from, order, starts[number], starts[number + 1], columns, height,
                             width};
    out[i] = segment.first < segment.stop ? T(FN::of(segment)) : T(0);
  }
}
