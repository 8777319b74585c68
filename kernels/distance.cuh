// Tables of numbers by the distance from a query to a key, `reach` to each side of distance 0: the
// first and the last column are for all longer distances as well.
__device__ __forceinline__ int column_of(index_t distance, int reach) {
  return int(max(index_t(-reach), min(index_t(reach), distance))) + reach;
}
