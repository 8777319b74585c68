/*
pair_starts: the first pair of each sequence, and the number of pairs: sums of squared lengths.

  offsets  (sequences + 1,) int64, the first row of each sequence
  starts   (sequences + 1,) int64

A thread to a sequence, which goes through all those before it: few beside the pairs themselves, and
all threads read the same lengths at the same time. Whole numbers: deterministic.
*/
#include "items.cuh"

extern "C" __global__ void pair_starts(const index_t* __restrict__ offsets,
                                       index_t* __restrict__ starts, index_t sequences) {
  each_item(sequences + 1, [&](index_t sequence) {
    index_t pairs = 0;
    for (index_t s = 0; s < sequence; ++s) {
      const index_t length = offsets[s + 1] - offsets[s];
      pairs += length * length;
    }
    starts[sequence] = pairs;
  });
}
