// Tensors cut into blocks in two ways: where an element of a new block lies in the old ones.
#include "boxes.cuh"

// Along each axis: elements of a new block, of the tensor, of an old block; old blocks to number.
struct Cuts {
  Axes block, extent, old, numbered;
};

// Number of an old block, and place of an element in it.
struct Found {
  index_t number, place;
  bool is_there;
};

// Element `at` of the new block that starts at start(axis) of the tensor. Old blocks are numbered
// in row-major order from first(axis, start) on. Both are asked once for each axis, the last first.
template <int N, class Start, class First>
__device__ __forceinline__ Found find_in_old(const Cuts& cuts, index_t at, Start start,
                                             First first) {
  Found found = {0, 0, true};
  index_t numbers = 1, places = 1;  // in the axes behind
#pragma unroll
  for (int axis = N - 1; axis >= 0; --axis) {
    const index_t begin = start(axis), old = cuts.old[axis];
    const index_t element = begin + at % cuts.block[axis];
    at /= cuts.block[axis];
    found.is_there &= element < cuts.extent[axis];
    found.number += (element / old - first(axis, begin)) * numbers;
    found.place += element % old * places;
    numbers *= cuts.numbered[axis];
    places *= old;
  }
  return found;
}
