// Tensors cut into blocks in two ways: where an element of a new block lies in the old ones.
#include "boxes.cuh"

// Extents of a new block, of the tensor and of an old block along each axis.
struct Cuts {
  Axes block, extent, old;
};

// Where an element lies: which old block along each axis, and its place in that block; place -1
// where the tensor has ended.
struct Found {
  Axes key;
  index_t place;
};

// Element `at` of the new block that starts at `start`.
template <int N>
__device__ __forceinline__ Found find_in_old(const Cuts& cuts, const Axes& start, index_t at) {
  Found found;
  Axes inside;
  bool ended = false;
#pragma unroll
  for (int axis = N - 1; axis >= 0; --axis) {
    const index_t rest = axis ? at / cuts.block[axis] : 0;
    const index_t whole = start[axis] + at - rest * cuts.block[axis];
    ended |= whole >= cuts.extent[axis];
    found.key[axis] = ended ? 0 : whole / cuts.old[axis];
    inside[axis] = whole - found.key[axis] * cuts.old[axis];
    at = rest;
  }
  index_t place = 0;
#pragma unroll
  for (int axis = 0; axis < N; ++axis) place = place * cuts.old[axis] + inside[axis];
  found.place = ended ? -1 : place;
  return found;
}
