/*
merge_moments: (count, mean, sum of squared differences) of the parts of each line, merged.

  states  (parts, 2, rest) double
  counts  (parts,) index_t
  starts  (groups,) index_t: the first part of each line
  out     (groups, 2, rest) double

One thread for each group and line, parts in order: deterministic. One walk over the parts, see
moments.cuh: states is read once and out written once, the least possible.
*/
#include "groups.cuh"
#include "moments.cuh"

extern "C" __global__ void merge_moments(const double* __restrict__ states,
                                         const index_t* __restrict__ counts,
                                         const index_t* __restrict__ starts,
                                         double* __restrict__ out, index_t groups, index_t parts,
                                         index_t rest) {
  const Groups all = {starts, groups, parts, rest};
  over_groups<1>(all, [&](index_t group, index_t line, index_t first, index_t stop) {
    const double* from = states + line;
    auto whole = Moments<double>::none();
    for (index_t part = first; part < stop; ++part)
      whole.add(from[2 * part * rest], double(counts[part]), from[(2 * part + 1) * rest]);
    const double mean = whole.total() / whole.count;
    double* to = out + 2 * group * rest + line;
    to[0] = mean;
    to[rest] = not_negative(whole.about(mean));
  });
}
