/*
pair_softmax: softmax of scores over the keys of each query row and head.

  scores   (pairs, heads) T, in order of (sequence, query row, key row)
  offsets  (sequences + 1,) int64, the first row of each sequence
  starts   (sequences + 1,) int64, the first pair of each sequence
  out      (pairs, heads) T

A block to a query row; neighbouring threads take neighbouring heads of a key, the next ones the next
key. Two walks over the keys, see softmax.cuh: the second meets the cache where a row is not long. So
scores are read once and out written once, the least possible. Deterministic.
*/
#include "pairs.cuh"
#include "softmax.cuh"

#define MOST_THREADS 1024

typedef Accumulator<T>::type A;

extern "C" __global__ void pair_softmax(const T* __restrict__ scores,
                                        const index_t* __restrict__ offsets,
                                        const index_t* __restrict__ starts, T* __restrict__ out,
                                        index_t sequences, index_t heads) {
  CU_SHARED(A, maxima, [MOST_THREADS]);
  CU_SHARED(A, totals, [MOST_THREADS]);
  // Calls body(number of a score) for this thread's keys, so many threads to a key.
  const auto over_keys = [&](const QueryRow& row, index_t head, int across, auto body) {
    const index_t step = blockDim.x / across;
    for (index_t j = threadIdx.x / across; j < row.length; j += step)
      body((row.pair + j) * heads + head);
  };
  const index_t rows = offsets[sequences];
  for (index_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const QueryRow row = query_row(i, offsets, starts, sequences);
    for (index_t head0 = 0; head0 < heads; head0 += blockDim.x) {
      const int across = heads - head0 < blockDim.x ? int(heads - head0) : blockDim.x;
      const int used = blockDim.x / across * across, place = threadIdx.x % across;
      auto mine = SoftmaxState<A>::none();
      if (threadIdx.x < used)
        over_keys(row, head0 + place, across, [&](index_t at) { mine.add(widen(scores[at])); });
      maxima[threadIdx.x] = mine.largest;
      totals[threadIdx.x] = mine.total;
      __syncthreads();
      auto whole = SoftmaxState<A>::none();
      for (int t = place; t < used; t += across) whole.add(maxima[t], totals[t]);
      __syncthreads();
      if (threadIdx.x < used)
        over_keys(row, head0 + place, across, [&](index_t at) {
          const A e = exponential(widen(scores[at]) - whole.largest);
          out[at] = Narrow<T>::from(e / whole.total);
        });
    }
  }
}
