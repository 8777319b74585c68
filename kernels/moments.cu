/*
moments: mean, and sum of squared differences to it, of each line along an axis of a block.

  x        (n, outer, extent, inner) T
  lengths  (n,) index_t: elements of each line that count
  out      (n, 2, outer, inner) double

A warp, a block, or a share of a block for each line: the struct TEAM, see lines.cuh. One walk over a
line, see moments.cuh: x is read once and out written once, the least possible. Deterministic.
*/
#include "lines.cuh"
#include "moments.cuh"

extern "C" __global__ void moments(const T* __restrict__ x, const index_t* __restrict__ lengths,
                                   double* __restrict__ out, index_t lines, index_t rest,
                                   index_t extent, index_t inner) {
  CU_DYN_SHARED(double, scratch);
  const Lines all = {lines, rest, extent, inner};
  over_lines<TEAM>(x, lengths, all, scratch, [&](const auto& line) {
    auto mine = Moments<double>::none();
    line.each([&](index_t, T v) { mine.add(double(v)); });
    const double mean = line.template merged<Sum>(mine.total(), 0.0) / double(line.length);
    const double squares = line.template merged<Sum>(mine.about(mean), 0.0);
    if (line.writes()) {
      double* to = out + 2 * line.block * rest + line.within;
      to[0] = mean;
      to[rest] = line.length ? not_negative(squares) : 0;
    }
  });
}
