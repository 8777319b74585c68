/*
softmax_state: maximum, and sum of exp of the differences to it, of the part of each row in a block.

  x        (n, rows, extent) T
  lengths  (n,) index_t: elements of each row that count
  out      (n, 2, rows) T

A warp, a block, or a share of a block for each row: the struct TEAM, see lines.cuh; inner is 1. One
walk over a row, see softmax.cuh: x is read once and out written once, the least possible. A part of
-inf only has the sum 0: another part of its row may be finite. Deterministic. exp is expf, within
2 ulp.
*/
#include "lines.cuh"
#include "softmax.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void softmax_state(const T* __restrict__ x,
                                         const index_t* __restrict__ lengths, T* __restrict__ out,
                                         index_t lines, index_t rest, index_t extent,
                                         index_t inner) {
  CU_DYN_SHARED(double, scratch);
  const Lines all = {lines, rest, extent, inner};
  over_lines<TEAM>(x, lengths, all, scratch, [&](const auto& line) {
    auto mine = SoftmaxState<A>::none();
    line.each([&](index_t, T v) { mine.add(widen(v)); });
    const A largest = line.template merged<Max>(mine.largest, A(-CU_INF));
    const A total = line.template merged<Sum>(mine.scaled(largest), A(0));
    if (line.writes()) {
      T* to = out + 2 * line.block * rest + line.within;
      to[0] = Narrow<T>::from(largest);
      to[rest] = Narrow<T>::from(total);
    }
  });
}
