/*
moments: mean, and sum of squared differences to it, of each line along an axis of a block.

  x        (n, outer, extent, inner) T
  lengths  (n,) index_t: elements of each line that count
  out      (n, 2, outer, inner) double

A warp, a block, or a share of a block for each line: the struct TEAM, see lines.cuh. Two passes
over a line, the second from cache: the sum of squares alone would cancel. So x is read from memory
once and out written once, the least possible, while the lines that are at work fit the second-level
cache. Deterministic.
*/
#include "lines.cuh"

extern "C" __global__ void moments(const T* __restrict__ x, const index_t* __restrict__ lengths,
                                   double* __restrict__ out, index_t lines, index_t rest,
                                   index_t extent, index_t inner) {
  CU_DYN_SHARED(double, scratch);
  const Lines all = {lines, rest, extent, inner};
  over_lines<TEAM>(x, lengths, all, scratch, [&](const auto& line) {
    const double total = line.template reduce<Sum>(0.0, [](T v) { return double(v); });
    const double mean = total / double(line.length);
    const double squares = line.template reduce<Sum>(0.0, [&](T v) {
      return (double(v) - mean) * (double(v) - mean);
    });
    if (line.writes()) {
      double* to = out + 2 * line.block * rest + line.within;
      to[0] = mean;
      to[rest] = squares;
    }
  });
}
