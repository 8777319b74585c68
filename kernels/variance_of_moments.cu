/*
variance_of_moments: sums of squared differences of whole lines -> variances.

  states  (groups, 2, size) double
  out     (groups, size) T

A thread to a line. Half of states is read once, out is written once: the least possible.
*/
#include "lines.cuh"

extern "C" __global__ void variance_of_moments(const double* __restrict__ states,
                                               T* __restrict__ out, index_t groups, index_t size,
                                               index_t total) {
  each_item(groups * size, [&](index_t i) {
    const double squares = states[(i / size * 2 + 1) * size + i % size];
    out[i] = Narrow<T>::from(typename Accumulator<T>::type(squares / double(total)));
  });
}
