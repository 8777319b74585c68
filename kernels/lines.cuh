// Lines along an axis of blocks, and the threads that share one.
//
// Blocks are (n, outer, extent, inner): a line is the elements that differ in their place along
// `extent` only, `inner` apart. Of a line of block b the first lengths[b] elements count, the rest
// is padding. Lines are numbered as the elements of a result without the axis.
#include "common.cuh"

struct Lines {
  index_t count;  // of all blocks
  index_t rest;   // of one block: outer · inner
  index_t extent, inner;
};

// A warp for each line: contiguous lines of a few hundred elements.
struct WarpTeam {
  static const bool contiguous = true;
  double* scratch;

  __device__ __forceinline__ index_t first() const {
    return (index_t(blockIdx.x) * blockDim.x + threadIdx.x) >> 5;
  }
  __device__ __forceinline__ index_t step() const { return index_t(gridDim.x) * (blockDim.x >> 5); }
  __device__ __forceinline__ int offset() const { return 0; }
  __device__ __forceinline__ int lane() const { return threadIdx.x & 31; }
  __device__ __forceinline__ int lanes() const { return 32; }
  template <class Op, class A> __device__ __forceinline__ A merged(A x, A) const {
    return warp_reduce<Op>(x);
  }
};

// A block for each line: longer contiguous lines.
struct BlockTeam {
  static const bool contiguous = true;
  double* scratch;  // of 32

  __device__ __forceinline__ index_t first() const { return blockIdx.x; }
  __device__ __forceinline__ index_t step() const { return gridDim.x; }
  __device__ __forceinline__ int offset() const { return 0; }
  __device__ __forceinline__ int lane() const { return threadIdx.x; }
  __device__ __forceinline__ int lanes() const { return blockDim.x; }
  template <class Op, class A> __device__ __forceinline__ A merged(A x, A neutral) const {
    return block_reduce<Op>(x, neutral, reinterpret_cast<A*>(scratch));
  }
};

// A block for 32 lines beside each other: a warp reads the same element of all of them, the next
// warp the next element. For lines whose elements lie apart, and for very short ones.
struct StripTeam {
  static const bool contiguous = false;
  double* scratch;  // of one for each thread; none where a block is one warp

  __device__ __forceinline__ index_t first() const { return index_t(blockIdx.x) * 32; }
  __device__ __forceinline__ index_t step() const { return index_t(gridDim.x) * 32; }
  __device__ __forceinline__ int offset() const { return threadIdx.x & 31; }
  __device__ __forceinline__ int lane() const { return threadIdx.x >> 5; }
  __device__ __forceinline__ int lanes() const { return blockDim.x >> 5; }
  template <class Op, class A> __device__ __forceinline__ A merged(A x, A) const {
    if (blockDim.x == 32) return x;
    A* parts = reinterpret_cast<A*>(scratch);
    parts[threadIdx.x] = x;
    __syncthreads();
    x = parts[threadIdx.x & 31];
    for (int at = 32 + (threadIdx.x & 31); at < blockDim.x; at += 32) x = Op::of(x, parts[at]);
    __syncthreads();
    return x;
  }
};

// A line, as one of its threads sees it. All threads of the team must call `reduce` and `merged`.
template <class T, class Team> struct Line {
  Team team;
  const T* from;
  index_t number, block, within;  // of all lines; the block, and which of its lines it is
  index_t length, step;
  bool packed;  // may be read 16 bytes at a time
  bool exists;  // a strip may reach beyond the last line

  // One thread of the team, which writes the result.
  __device__ __forceinline__ bool writes() const { return exists && team.lane() == 0; }

  // Calls body(position, element) for this thread's share, positions rising.
  template <class Body> __device__ __forceinline__ void each(Body body) const {
    const index_t lanes = team.lanes();
    index_t at = team.lane();
    if (Team::contiguous && packed) {
      const int size = Pack<T>::size;
      const index_t packs = length / size;
#pragma unroll 2
      for (index_t p = at; p < packs; p += lanes) {
        const Pack<T> pack = load_pack(from + p * size);
#pragma unroll
        for (int i = 0; i < size; ++i) body(p * size + i, pack.v[i]);
      }
      at += packs * size;
    }
#pragma unroll 4
    for (; at < length; at += lanes) body(at, from[at * step]);
  }

  // Op over value(element) of the line; every thread of the team gets the result.
  template <class Op, class A, class Value>
  __device__ __forceinline__ A reduce(A neutral, Value value) const {
    A x = neutral;
    each([&](index_t, T element) { x = Op::of(x, value(element)); });
    return merged<Op>(x, neutral);
  }

  // Op over one number of each thread of the team.
  template <class Op, class A> __device__ __forceinline__ A merged(A x, A neutral) const {
    return team.template merged<Op>(x, neutral);
  }
};

// Calls body(line) for every line, on all threads of its team together.
template <class Team, class T, class Body>
__device__ __forceinline__ void over_lines(const T* x, const index_t* lengths, const Lines& lines,
                                           double* scratch, Body body) {
  const Team team = {scratch};
  const bool packed =
      Team::contiguous && is_aligned16(x) && lines.extent % Pack<T>::size == 0;
  for (index_t first = team.first(); first < lines.count; first += team.step()) {
    const index_t number = first + team.offset();
    const bool exists = number < lines.count;
    const index_t block = exists ? number / lines.rest : 0;
    // A number larger than the line stands for all of it.
    const index_t wanted = exists ? lengths[block] : 0;
    const index_t valid = wanted < lines.extent ? wanted : lines.extent;
    const index_t start = number / lines.inner * lines.extent * lines.inner + number % lines.inner;
    body(Line<T, Team>{team, x + (exists ? start : 0), number, block, number - block * lines.rest,
                       valid, lines.inner, packed, exists});
  }
}
