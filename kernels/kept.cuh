// A row that a block goes through more than once, and reads once: each thread keeps the first
// elements in HELD registers (none where shared memory is enough), the block the next ones in shared
// memory.
#include "row.cuh"

// Threads of a block where they hold a row: 128 registers for each. Others need no such bound.
#define ROW_BOUNDS BOUNDS_WITH(HELD)
#define BOUNDS_WITH(held) BOUNDS_WITH_(held)
#define BOUNDS_WITH_(held) BOUNDS_WITH_##held
#define BOUNDS_WITH_0
#define BOUNDS_WITH_8 __launch_bounds__(512, 1)
#define BOUNDS_WITH_40 __launch_bounds__(512, 1)

// `cache` is shared memory for `room` accumulators; what is behind them comes from the source again.
// Only rows that are read 16 bytes at a time are held in registers.
template <class T, int HELD> struct KeptRow {
  typedef typename Accumulator<T>::type A;
  A* cache;
  index_t room, width;
  bool packed;
  A held[HELD ? HELD : 1];

  // Calls body(at, elements, Count<N>) for the whole row; source(at, Count<N>) gives its elements.
  template <class Source, class Body>
  __device__ __forceinline__ void first(Source source, Body body) {
    walk([&](index_t at, auto n, A* here) {
      const auto few = source(at, n);
      keep(here, few);
      body(at, few, n);
    }, [&](index_t at, index_t place, auto n) {
      const auto few = source(at, n);
      if (place < room) store_few(cache + place, few);
      body(at, few, n);
    });
  }

  // The same once more, after `first`: a thread gets the elements that it had.
  template <class Source, class Body>
  __device__ __forceinline__ void again(Source source, Body body) {
    walk([&](index_t at, auto n, const A* here) { body(at, kept(here, n), n); },
         [&](index_t at, index_t place, auto n) {
           body(at, place < room ? load_few(cache + place, n) : source(at, n), n);
         });
  }

 private:
  template <class Held, class Rest>
  __device__ __forceinline__ void walk(Held in_registers, Rest rest) {
    const int step = Pack<T>::size;
    const index_t lane = threadIdx.x, lanes = blockDim.x;
    const index_t bulk = packed ? width - width % step : 0;
#pragma unroll
    for (int i = 0; i < HELD; i += step) {
      const index_t at = i * lanes + lane * step;
      if (at < bulk) in_registers(at, Count<step>(), held + i);
    }
    const index_t held_by_all = HELD * lanes;
    const index_t behind = HELD == 0 ? 0 : bulk < held_by_all ? bulk : held_by_all;
    for (index_t at = behind + lane * step; at < bulk; at += lanes * step)
      rest(at, at - behind, Count<step>());
    for (index_t at = bulk + lane; at < width; at += lanes) rest(at, at - behind, Count<1>());
  }

  template <int N> static __device__ __forceinline__ void keep(A* here, const Few<A, N>& few) {
#pragma unroll
    for (int i = 0; i < N; ++i) here[i] = few.v[i];
  }

  template <int N> static __device__ __forceinline__ Few<A, N> kept(const A* here, Count<N>) {
    Few<A, N> few;
#pragma unroll
    for (int i = 0; i < N; ++i) few.v[i] = here[i];
    return few;
  }
};
