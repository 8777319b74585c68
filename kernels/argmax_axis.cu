/*
argmax_axis: position of the first largest element of each line along an axis of a block.

  x        (n, outer, extent, inner) T
  lengths  (n,) index_t: elements of each line that count
  out      (n, outer, inner) index_t

A warp, a block, or a share of a block for each line: the struct TEAM, see lines.cuh. x is read once
and out written once, the least possible. Deterministic.
*/
#include "lines.cuh"
#include "order.cuh"

typedef Order<T>::Key Key;

extern "C" __global__ void argmax_axis(const T* __restrict__ x,
                                       const index_t* __restrict__ lengths,
                                       index_t* __restrict__ out, index_t lines, index_t rest,
                                       index_t extent, index_t inner) {
  CU_DYN_SHARED(double, scratch);
  const Lines all = {lines, rest, extent, inner};
  over_lines<TEAM>(x, lengths, all, scratch, [&](const auto& line) {
    Key best = Order<T>::lowest;
    index_t position = Order<double>::highest;  // behind every other
    line.each([&](index_t at, T v) {
      const Key key = rank(v);
      if (key > best) {
        best = key;
        position = at;
      }
    });
    const Key largest = line.template merged<Largest>(best, Order<T>::lowest);
    if (best < largest) position = Order<double>::highest;
    position = line.template merged<Smallest>(position, index_t(Order<double>::highest));
    if (line.writes()) out[line.number] = position;
  });
}
