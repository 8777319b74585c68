/*
embedding_layer_norm: layer-norm of the sum of one row from each of K tables, K from 1 to 4.

  table0 … table3  (any, width) T, rows stride0 … stride3 elements apart
  rows0 … rows3    (rows,) I0 … I3, int or long long: numbers of rows that the tables have
  gamma, beta      (width,) T
  out              (rows, width) T

Tables from K on are not looked at. One block per row of out, walking on in steps of the grid. Each
row of a table is read once for each time it is wanted and out written once, the least possible
without sorting, but for what does not fit into registers and shared memory, which is read twice,
see kept.cuh. Deterministic. The sum is not rounded to T before it is normalised.
*/
#include "layer_norm.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void ROW_BOUNDS embedding_layer_norm(
    const T* __restrict__ table0, const T* __restrict__ table1, const T* __restrict__ table2,
    const T* __restrict__ table3, index_t stride0, index_t stride1, index_t stride2,
    index_t stride3, const I0* __restrict__ rows0, const I1* __restrict__ rows1,
    const I2* __restrict__ rows2, const I3* __restrict__ rows3, const T* __restrict__ gamma,
    const T* __restrict__ beta, T* __restrict__ out, index_t rows, index_t width, double eps,
    index_t kept) {
  CU_SHARED(A, scratch, [32]);
  CU_DYN_SHARED(A, cache);
  const LayerNorm<T, HELD> norm = {gamma, beta, width, A(eps), cache, kept, scratch};
  const bool packed = is_packed(out, width) && is_packed(table0, stride0) &&
                      (K < 2 || is_packed(table1, stride1)) &&
                      (K < 3 || is_packed(table2, stride2)) &&
                      (K < 4 || is_packed(table3, stride3));
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from0 = table0 + rows0[row] * stride0;
    const T* from1 = K > 1 ? table1 + rows1[row] * stride1 : nullptr;
    const T* from2 = K > 2 ? table2 + rows2[row] * stride2 : nullptr;
    const T* from3 = K > 3 ? table3 + rows3[row] * stride3 : nullptr;
    const auto sum = [&](index_t at, auto n) {
      auto few = load_few(from0 + at, n);
      if (K > 1) add_few(few, load_few(from1 + at, n));
      if (K > 2) add_few(few, load_few(from2 + at, n));
      if (K > 3) add_few(few, load_few(from3 + at, n));
      return few;
    };
    norm.apply(sum, out + row * width, packed);
  }
}
