/*
attention: softmax(scale · q kᵀ + relative) v of every head within each sequence; scores are never stored.

  q, k, v   (n, heads · width) T, rows `q_stride`, … elements apart: column slices will do
  bias      (3 · heads · width) T, added to q, k and v as they are read, where `biased`
  offsets   (sequences + 1) I, int32 or int64: the first row of each sequence; the first is 0
  key_mask  (n) bool, keys that take part, where `masked`
  relative  (heads or 1, 2 · reach + 1) T, added to scores by the distance from query to key, where
            compiled with BY_DISTANCE: without, it would take registers for nothing; `head_step`
            elements from head to head
  out       (n, heads · width) T; zeros where no key takes part, and behind the last sequence

One pass with a running maximum and sum: Milakov and Gimelshein, "Online normalizer calculation for
softmax", 2018; tiles as in FlashAttention, Dao et al., 2022. A block takes one head of a tile of
queries, each warp ROWS of them, and walks over the keys of their sequence, KEYS at a time: a lane
is a key while scores are computed, and CHUNKS columns while values are added up.

The host does not know the lengths. Sequence s owns the tiles from offsets[s] / tile + s on, to
where the next one's begin: always enough, and n / tile + sequences + 1 in all. A block finds its
sequence by binary search, and has nothing to do where its tile begins behind the end.

Numbers that are -inf at an end make a window, if no mask could leave a query without a key in it:
tiles of keys outside are not looked at, whatever is in them.

Bytes moved: q and out once; k and v once per tile of queries, from L2 all but the first time. The
least possible is once. Arithmetic: 4 · width operations per pair and head, on 2 · width elements
per key and tile: with 32 queries to a tile, 16 operations per byte of float32.
Deterministic. Sums in A; exp is expf, within 2 ulp. One tile of shared memory holds keys, then
values: half the memory, so twice the blocks on a multiprocessor, for two more barriers.
*/
#include "common.cuh"

#define KEYS 32
#ifndef BY_DISTANCE
#define BY_DISTANCE 0
#endif

typedef Accumulator<T>::type A;

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }

struct AnyBit {
  static __device__ __forceinline__ unsigned of(unsigned a, unsigned b) { return a | b; }
};

// `step` neighbouring elements, read at once; and the same widened.
template <int step> struct alignas(step * sizeof(T)) Stored { T v[step]; };
template <int step> struct alignas(step == 1 ? sizeof(A) : 16) Widened { A v[step]; };

// The columns of one head in q, k or v.
struct Operand {
  const T* data;
  const T* bias;  // of these columns; null where there is none
  index_t stride;
  int width;
  bool packed;  // 16 bytes at a time

  __device__ Operand(const T* x, const T* added, index_t row_stride, int head, int columns)
      : data(x + index_t(head) * columns),
        bias(added ? added + index_t(head) * columns : added),
        stride(row_stride),
        width(columns),
        packed(is_aligned16(x) && is_aligned16(added) && row_stride % Pack<T>::size == 0 &&
               columns % Pack<T>::size == 0) {}
};

// A part of a block that reads together: `count` threads, of which this is number `rank`.
struct Group {
  int rank, count;
};

// (x + bias) · factor of `count` rows from `first` on; zeros where `mask` leaves a row out, and
// from `count` to `rows`. Neighbouring threads take neighbouring pieces of a row, a power of two of
// them, so that no division is needed.
template <int step>
__device__ __forceinline__ void read_pieces(const Operand& x, index_t first, int count, int rows,
                                            A factor, const bool* mask, A* to, int pitch,
                                            Group group) {
  int shift = 0;
  while (shift < 5 && (step << shift) < x.width) ++shift;
  const int across = 1 << shift;
  for (int row = group.rank >> shift; row < rows; row += group.count >> shift) {
    const bool taken = row < count && (!mask || mask[first + row]);
    const T* from = x.data + (first + row) * x.stride;
    for (int c = (group.rank & (across - 1)) * step; c < x.width; c += across * step) {
      Widened<step> wide = {};
      if (taken) {
        const Stored<step> piece = *reinterpret_cast<const Stored<step>*>(from + c);
#pragma unroll
        for (int i = 0; i < step; ++i) wide.v[i] = widen(piece.v[i]);
        if (x.bias) {
          const Stored<step> added = *reinterpret_cast<const Stored<step>*>(x.bias + c);
#pragma unroll
          for (int i = 0; i < step; ++i) wide.v[i] += widen(added.v[i]);
        }
#pragma unroll
        for (int i = 0; i < step; ++i) wide.v[i] *= factor;
      }
      *reinterpret_cast<Widened<step>*>(to + row * pitch + c) = wide;
    }
  }
}

__device__ __forceinline__ void read_rows(const Operand& x, index_t first, int count, int rows,
                                          A factor, const bool* mask, A* to, int pitch,
                                          Group group) {
  if (x.packed)
    read_pieces<Pack<T>::size>(x, first, count, rows, factor, mask, to, pitch, group);
  else
    read_pieces<1>(x, first, count, rows, factor, mask, to, pitch, group);
}

// The sequence that owns a tile; `sequences` for the rows behind the last.
__device__ index_t sequence_of(index_t tile, const I* offsets, index_t sequences,
                               int tile_shift) {
  index_t low = 0, high = sequences;
  while (low < high) {
    const index_t middle = (low + high + 1) >> 1;
    if ((offsets[middle] >> tile_shift) + middle <= tile)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

// What a warp knows of its ROWS queries after the keys that it has seen.
struct Progress {
  A largest[ROWS];          // score so far
  A total[ROWS];            // this lane's part of the sum of weights
  A context[ROWS][CHUNKS];  // sum of weight · value in columns lane, lane + 32, …
  unsigned seen;            // bit r: this lane had a key for query r

  __device__ Progress() : seen(0) {
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      largest[r] = -CU_INF;
      total[r] = 0;
#pragma unroll
      for (int j = 0; j < CHUNKS; ++j) context[r][j] = 0;
    }
  }
};

// Products of every query with the key of this lane.
__device__ __forceinline__ void multiply(const A* queries, const A* key, int packs, A* scores) {
  const int step = Pack<A>::size;
#pragma unroll
  for (int r = 0; r < ROWS; ++r) scores[r] = 0;
#pragma unroll 1
  for (int p = 0; p < packs; ++p) {
    const Pack<A> a = load_pack(key + p * step);
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const Pack<A> b = load_pack(queries + (r * packs + p) * step);
#pragma unroll
      for (int i = 0; i < step; ++i) scores[r] += a.v[i] * b.v[i];
    }
  }
}

// Adds to each score what belongs to its distance, which is `behind` for the first query.
__device__ __forceinline__ void add_by_distance(const T* relative, int reach, index_t behind,
                                                A* scores) {
  // Whole numbers of 32 bits from here on: each lane has ROWS of them.
  const int first = int(max(index_t(-reach), min(index_t(reach) + ROWS, behind)));
#pragma unroll
  for (int r = 0; r < ROWS; ++r)
    scores[r] += widen(relative[max(0, min(2 * reach, first - r + reach))]);
}

// Scores of a tile of keys -> weights relative to the largest score so far; what was added up
// before is brought to the same scale. `first_query` is the first that this lane's key is for.
__device__ __forceinline__ void weigh(Progress& progress, const A* scores, int first_query,
                                      A* weights) {
  A weight[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    const bool taken = r >= first_query;
    const A score = taken ? scores[r] : A(-CU_INF);
    const A largest = nan_max(progress.largest[r], warp_reduce<Max>(score));
    const A base = largest == A(-CU_INF) ? A(0) : largest;
    const A decay = exponential(progress.largest[r] - base);
    weight[r] = exponential(score - base);
    progress.largest[r] = largest;
    progress.total[r] = progress.total[r] * decay + weight[r];
#pragma unroll
    for (int j = 0; j < CHUNKS; ++j) progress.context[r][j] *= decay;
    if (taken) progress.seen |= 1u << r;
  }
#pragma unroll
  for (int g = 0; g < ROWS; g += Pack<A>::size) {
    Pack<A> pack;
#pragma unroll
    for (int i = 0; i < Pack<A>::size; ++i) pack.v[i] = weight[g + i];
    store_pack(weights + g, pack);
  }
}

// Lanes past the last column add up the last one once more; they will not write it.
__device__ __forceinline__ void add_values(Progress& progress, const A* weights, const A* values,
                                           int count, int pitch, int width, int lane) {
#pragma unroll 1
  for (int y = 0; y < count; ++y) {
    A value[CHUNKS];
#pragma unroll
    for (int j = 0; j < CHUNKS; ++j) value[j] = values[y * pitch + min(lane + 32 * j, width - 1)];
#pragma unroll
    for (int g = 0; g < ROWS; g += Pack<A>::size) {
      const Pack<A> weight = load_pack(weights + y * ROWS + g);
#pragma unroll
      for (int i = 0; i < Pack<A>::size; ++i)
#pragma unroll
        for (int j = 0; j < CHUNKS; ++j) progress.context[g + i][j] += weight.v[i] * value[j];
    }
  }
}

__device__ __forceinline__ void write_context(const Progress& progress, T* out, int count,
                                              index_t stride, int width, int lane) {
  const unsigned seen = warp_reduce<AnyBit>(progress.seen);
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    const A inverse = A(1) / warp_reduce<Sum>(progress.total[r]);
#pragma unroll
    for (int j = 0; j < CHUNKS; ++j) {
      const int c = lane + 32 * j;
      const A result = seen >> r & 1 ? progress.context[r][j] * inverse : A(0);
      if (r < count && c < width) out[r * stride + c] = Narrow<T>::from(result);
    }
  }
}

extern "C" __global__ void __launch_bounds__(256, 1)
    attention(const T* __restrict__ q, const T* __restrict__ k, const T* __restrict__ v,
              const T* __restrict__ bias, const I* __restrict__ offsets,
              const bool* __restrict__ key_mask, const T* __restrict__ relative,
              T* __restrict__ out, index_t q_stride, index_t k_stride, index_t v_stride, index_t n,
              index_t sequences, int heads, int width, double scale, int tile_shift, int head_step,
              int reach, bool causal, bool masked, bool biased) {
  CU_DYN_SHARED(A, shared);
  const int step = Pack<A>::size;
  const int packs = (width + step - 1) / step;
  const int pitch = (packs | 1) * step;  // odd: eight lanes that read 16 bytes meet every bank once
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  A* tile = shared;  // (KEYS, pitch): keys, then values
  A* queries = shared + KEYS * pitch + warp * ROWS * (packs * step + KEYS);  // (ROWS, packs · step)
  A* weights = queries + ROWS * packs * step;                               // (KEYS, ROWS)
  const Group block = {int(threadIdx.x), int(blockDim.x)}, mine = {lane, 32};

  // Columns between width and a whole pack stay 0 for good.
  const int used = KEYS * pitch + (blockDim.x >> 5) * ROWS * (packs * step + KEYS);
  for (int i = threadIdx.x; i < used; i += blockDim.x) shared[i] = 0;
  __syncthreads();

  const index_t all = index_t(heads) * width;
  const T* none = nullptr;
  const index_t tasks = ((n >> tile_shift) + sequences + 1) * heads;
  for (index_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int head = int(task % heads);
    const index_t number = task / heads;
    const index_t s = sequence_of(number, offsets, sequences, tile_shift);
    const index_t start = offsets[s], stop = s < sequences ? offsets[s + 1] : n;
    const index_t first = start + ((number - (start >> tile_shift) - s) << tile_shift);
    if (first >= stop) continue;
    const index_t row = first + warp * ROWS;
    const int rows = int(max(index_t(0), min(index_t(ROWS), stop - row)));
    index_t keys_stop = s < sequences ? stop : start;  // rows behind the last have no keys
    if (causal) keys_stop = min(keys_stop, first + (index_t(1) << tile_shift));
    index_t keys_start = start;
    if (BY_DISTANCE && !masked) {  // -inf at an end is a window: tiles behind it are not read
      const T* by_head = relative + index_t(head) * head_step;
      if (widen(by_head[0]) == A(-CU_INF)) keys_start = max(start, first + 1 - reach);
      if (widen(by_head[2 * reach]) == A(-CU_INF))
        keys_stop = min(keys_stop, first + (index_t(1) << tile_shift) + max(0, reach - 1));
      keys_start = min(keys_start, first);  // a query has itself, whatever its number
    }

    const Operand query(q, biased ? bias : none, q_stride, head, width);
    const Operand key(k, biased ? bias + all : none, k_stride, head, width);
    const Operand value(v, biased ? bias + 2 * all : none, v_stride, head, width);
    __syncwarp();  // the task before has read its queries
    read_rows(query, row, rows, ROWS, A(scale), nullptr, queries, packs * step, mine);
    __syncwarp();
    Progress progress;
    for (index_t from = keys_start; from < keys_stop; from += KEYS) {
      const int count = int(min(index_t(KEYS), keys_stop - from));
      const bool busy = rows > 0 && (!causal || from < row + rows);
      __syncthreads();  // the values before have been added
      read_rows(key, from, count, KEYS, A(1), nullptr, tile, pitch, block);
      __syncthreads();
      if (busy) {
        A scores[ROWS];
        multiply(queries, tile + lane * pitch, packs, scores);
        if (BY_DISTANCE)
          add_by_distance(relative + index_t(head) * head_step, reach, from + lane - row, scores);
        const bool taken = lane < count && (!masked || key_mask[from + lane]);
        const index_t behind = causal ? from + lane - row : 0;
        weigh(progress, scores, taken ? int(min(behind, index_t(ROWS))) : ROWS,
              weights + lane * ROWS);
      }
      __syncthreads();
      read_rows(value, from, count, KEYS, A(1), masked ? key_mask : nullptr, tile, pitch, block);
      __syncthreads();
      if (busy) add_values(progress, weights, tile, count, pitch, width, lane);
    }
    write_context(progress, out + row * all + index_t(head) * width, rows, all, width, lane);
  }
}
