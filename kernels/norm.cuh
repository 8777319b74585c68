// Euclidean norm of a row, one block to a row.
#include "elementwise.cuh"
#include "row.cuh"

// A square may overflow where the norm does not: then once more, divided by the largest element
// (Blue, "A portable Fortran program to find the Euclidean norm of a vector", 1978). Every thread
// of the block must call and gets the result. source(at, Count<N>) gives elements of the row.
template <class T, class A, class Source>
__device__ __forceinline__ A euclidean_norm(index_t width, bool packed, Source source, A* scratch) {
  A squares = 0;
  along_row<T>(width, packed, [&](index_t at, auto n) {
    const auto few = source(at, n);
    for (const A v : few.v) squares += v * v;
  });
  squares = block_reduce<Sum>(squares, A(0), scratch);
  if (squares < A(CU_INF)) return square_root(squares);
  A largest = 0;
  along_row<T>(width, packed, [&](index_t at, auto n) {
    const auto few = source(at, n);
    for (const A v : few.v) largest = nan_max(largest, absolute(v));
  });
  largest = block_reduce<Max>(largest, A(0), scratch);
  if (!(largest < A(CU_INF))) return largest;  // infinity or NaN
  squares = 0;
  along_row<T>(width, packed, [&](index_t at, auto n) {
    const auto few = source(at, n);
    for (const A v : few.v) squares += (v / largest) * (v / largest);
  });
  return square_root(block_reduce<Sum>(squares, A(0), scratch)) * largest;
}
