// Pairs of rows in sequences: query and key rows of one sequence meet, in order of (sequence, query
// row, key row). Sequence s has the rows from offsets[s] on, and the pairs from starts[s] on.
#include "items.cuh"

// The last sequence whose first is at most `number`; those before it without any are passed over.
__device__ __forceinline__ index_t owner_of(index_t number, const index_t* firsts,
                                            index_t sequences) {
  index_t low = 0, high = sequences - 1;
  while (low < high) {
    const index_t middle = (low + high + 1) >> 1;
    if (firsts[middle] <= number)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

struct RowPair {
  index_t query, key;
};

__device__ __forceinline__ RowPair pair_at(index_t number, const index_t* offsets,
                                           const index_t* starts, index_t sequences) {
  const index_t s = owner_of(number, starts, sequences);
  const index_t within = number - starts[s], length = offsets[s + 1] - offsets[s];
  return {offsets[s] + within / length, offsets[s] + within % length};
}

// The keys of a query row: `length` rows from `first` on, whose pairs begin with `pair`.
struct QueryRow {
  index_t first, length, pair;
};

__device__ __forceinline__ QueryRow query_row(index_t row, const index_t* offsets,
                                              const index_t* starts, index_t sequences) {
  const index_t s = owner_of(row, offsets, sequences);
  const index_t length = offsets[s + 1] - offsets[s];
  return {offsets[s], length, starts[s] + (row - offsets[s]) * length};
}
