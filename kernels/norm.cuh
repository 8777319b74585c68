// Euclidean norm of a row, one block to a row.
#include "elementwise.cuh"
#include "kept.cuh"

// A square may overflow where the norm does not: then once more, divided by the largest element
// (Blue, "A portable Fortran program to find the Euclidean norm of a vector", 1978). Every thread
// of the block must call and gets the result. source(at, Count<N>) gives elements of the row, which
// `row` keeps.
template <class T, int HELD, class Source, class A>
__device__ __forceinline__ A euclidean_norm(KeptRow<T, HELD>& row, Source source, A* scratch) {
  A squares = 0;
  row.first(source, [&](index_t, const auto& few, auto) {
    for (const A v : few.v) squares += v * v;
  });
  squares = block_reduce<Sum>(squares, A(0), scratch);
  if (squares < A(CU_INF)) return square_root(squares);
  A largest = 0;
  row.again(source, [&](index_t, const auto& few, auto) {
    for (const A v : few.v) largest = nan_max(largest, absolute(v));
  });
  largest = block_reduce<Max>(largest, A(0), scratch);
  if (!(largest < A(CU_INF))) return largest;  // infinity or NaN
  squares = 0;
  row.again(source, [&](index_t, const auto& few, auto) {
    for (const A v : few.v) squares += (v / largest) * (v / largest);
  });
  return square_root(block_reduce<Sum>(squares, A(0), scratch)) * largest;
}
