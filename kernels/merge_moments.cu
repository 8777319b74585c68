/*
merge_moments: (mean, sum of squared differences) of the parts of each line -> of the line.

  states  (parts, 2, size) double
  counts  (parts,) int64, elements of each part
  starts  (groups,) int64, rising: the first part of each group
  out     (groups, 2, size) double

A thread to a line, two passes over its parts in order. The formula is that of Chan, Golub and
LeVeque, "Algorithms for computing the sample variance", 1983. States are read once from memory, the
least possible. Deterministic.
*/
#include "lines.cuh"

extern "C" __global__ void merge_moments(const double* __restrict__ states,
                                         const index_t* __restrict__ counts,
                                         const index_t* __restrict__ starts,
                                         double* __restrict__ out, index_t parts, index_t groups,
                                         index_t size) {
  each_item(groups * size, [&](index_t i) {
    const index_t group = i / size, stop = group_stop(starts, group, groups, parts);
    const double* from = states + i % size;
    double total = 0, sum = 0, squares = 0;
    for (index_t part = starts[group]; part < stop; ++part) {
      total += double(counts[part]);
      sum += from[part * 2 * size] * double(counts[part]);
    }
    const double mean = sum / total;
    for (index_t part = starts[group]; part < stop; ++part) {
      const double off = from[part * 2 * size] - mean;
      squares += off * off * double(counts[part]) + from[(part * 2 + 1) * size];
    }
    double* to = out + group * 2 * size + i % size;
    to[0] = mean;
    to[size] = squares;
  });
}
