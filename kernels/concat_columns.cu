/*
concat_columns: one matrix put beside others.

  part  (rows, width) T
  out   T, where the first row goes; rows are `stride` elements apart

One launch for each part. A thread for 16 bytes of a row, or for one element. Every part is read once
and out written once, the least possible. Deterministic.
*/
#include "boxes.cuh"

extern "C" __global__ void concat_columns(const T* __restrict__ part, T* __restrict__ out,
    index_t rows, index_t width, index_t stride) {
  const bool packed = is_packed(part, width) && is_packed(out, stride);
  over_blocks<T>(rows, width, packed, [&](index_t row, index_t at, auto few) {
    copy_few(out + row * stride + at, part + row * width + at, few);
  });
}
