/*
merge_argmax: (position, maximum) of the parts of each line -> position in the line.

  positions  (lines · parts, rest) index_t: in its part
  values     (lines · parts, rest) T
  firsts     (lines · parts,) index_t: position of each part's first element
  out        (lines, rest) index_t

One thread for each line. values is read once, out written once, and of positions one element for
each line: the least possible. Deterministic.
*/
#include "order.cuh"

extern "C" __global__ void merge_argmax(const index_t* __restrict__ positions,
                                        const T* __restrict__ values,
                                        const index_t* __restrict__ firsts,
                                        index_t* __restrict__ out, index_t lines, index_t parts,
                                        index_t rest) {
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < lines * rest; i += step) {
    const index_t line = i / rest, element = i - line * rest, first = line * parts;
    index_t winner = first;
    Order<T>::Key best = rank(values[first * rest + element]);
    for (index_t part = first + 1; part < first + parts; ++part) {
      const Order<T>::Key key = rank(values[part * rest + element]);
      if (key > best) {
        best = key;
        winner = part;
      }
    }
    out[i] = positions[winner * rest + element] + firsts[winner];
  }
}
