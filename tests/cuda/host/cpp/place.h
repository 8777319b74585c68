// Where a thread stands: threadIdx, blockIdx, blockDim, gridDim, and its lane.
#pragma once

namespace host {

struct Index {
  unsigned x, y, z;
};

struct Place {
  Index thread, block, threads, blocks;
  int lane;
};

}  // namespace host
