// Neighbouring parts that share a group, combined element by element.
//
// Parts are (m, size); group g holds those from starts[g] up to the next start. One thread for each
// group and element (or 16 bytes of them) walks through the parts in order: the result does not
// depend on the grid, and neighbouring threads read neighbouring elements.
#include "common.cuh"

struct Groups {
  const index_t* starts;
  index_t groups, parts, size;
};

// Calls body(group, element, first part, part to stop before) for every group and every N elements.
template <int N, class Body>
__device__ __forceinline__ void over_groups(const Groups& all, Body body) {
  const index_t each = all.size / N, items = all.groups * each;
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < items; i += step) {
    const index_t group = i / each;
    const index_t stop = group + 1 < all.groups ? all.starts[group + 1] : all.parts;
    body(group, (i - group * each) * N, all.starts[group], stop);
  }
}
