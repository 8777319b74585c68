// What a kernel sees of CUDA when a C++ compiler compiles it for the host. Put in front of its
// text; everything below is found by the name that CUDA gives it.
//
// A thread of a block is a fiber (scheduler.cpp). It gives way only where it waits for others: in
// __syncthreads, __syncwarp, the shuffles and the votes.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "place.h"

#define CUHOST 1
#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

#define HOST_INLINE static inline __attribute__((always_inline))

namespace host {

// The scheduler writes this before a thread goes on. It is const here because a thread's own
// numbers never change while it runs: the compiler may keep them, and does not report reads.
extern "C" const Place host_place;

// `place` is one address for each declaration, so that all threads of a block get the same memory.
void* shared(const void* place, size_t nbytes, size_t itemsize);
void* dynamic_shared(size_t itemsize);

// Waits for the lanes of `mask` and returns what `source` gave; -1: a vote, returns the lanes that
// gave something other than 0.
uint64_t exchange(unsigned mask, uint64_t value, int source);

// Checks one atomic access, and reads; the write that follows is not checked again.
uint64_t atomic_read(const void* address, unsigned nbytes);
void atomic_write(void* address, uint64_t value, unsigned nbytes);

template <class T> HOST_INLINE uint64_t bits_of(T x) {
  static_assert(sizeof(T) <= 8, "8 bytes at most travel between lanes");
  uint64_t bits = 0;
  memcpy(&bits, &x, sizeof x);
  return bits;
}

template <class T> HOST_INLINE T from_bits(uint64_t bits) {
  T x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace host

#define threadIdx host::host_place.thread
#define blockIdx host::host_place.block
#define blockDim host::host_place.threads
#define gridDim host::host_place.blocks
#define warpSize 32

// Shared memory is declared by macros: on the host a declaration cannot say where it lies.
#define CU_SHARED(type, name, dims) \
  typedef type name##_array dims;   \
  static char name##_place;         \
  name##_array& name =              \
      *static_cast<name##_array*>(host::shared(&name##_place, sizeof(name##_array), sizeof(type)))
#define CU_DYN_SHARED(type, name) type* name = static_cast<type*>(host::dynamic_shared(sizeof(type)))

// --- waiting for each other ---

void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffffu);
HOST_INLINE void __threadfence() {}
HOST_INLINE void __threadfence_block() {}

// Lanes are counted within groups of `width`; a lane whose source lies outside keeps its own value.
HOST_INLINE int host_source(int wanted, int width) {
  const int lane = host::host_place.lane, first = lane & ~(width - 1);
  return wanted >= first && wanted < first + width ? wanted : lane;
}

template <class T> HOST_INLINE T __shfl_sync(unsigned mask, T x, int source, int width = 32) {
  const int first = host::host_place.lane & ~(width - 1);
  return host::from_bits<T>(
      host::exchange(mask, host::bits_of(x), first + (source & (width - 1))));
}

template <class T> HOST_INLINE T __shfl_xor_sync(unsigned mask, T x, int other, int width = 32) {
  const int source = host_source(host::host_place.lane ^ other, width);
  return host::from_bits<T>(host::exchange(mask, host::bits_of(x), source));
}

template <class T> HOST_INLINE T __shfl_down_sync(unsigned mask, T x, unsigned by, int width = 32) {
  const int source = host_source(host::host_place.lane + int(by), width);
  return host::from_bits<T>(host::exchange(mask, host::bits_of(x), source));
}

template <class T> HOST_INLINE T __shfl_up_sync(unsigned mask, T x, unsigned by, int width = 32) {
  const int source = host_source(host::host_place.lane - int(by), width);
  return host::from_bits<T>(host::exchange(mask, host::bits_of(x), source));
}

HOST_INLINE unsigned __ballot_sync(unsigned mask, int x) {
  return unsigned(host::exchange(mask, x != 0, -1));
}
HOST_INLINE int __any_sync(unsigned mask, int x) { return __ballot_sync(mask, x) != 0; }
HOST_INLINE int __all_sync(unsigned mask, int x) { return __ballot_sync(mask, !x) == 0; }

// --- atomics ---

template <class T, class Change> HOST_INLINE T host_atomic(T* address, Change change) {
  const T old = host::from_bits<T>(host::atomic_read(address, sizeof(T)));
  host::atomic_write(address, host::bits_of<T>(change(old)), sizeof(T));
  return old;
}
template <class T> HOST_INLINE T atomicAdd(T* p, T x) {
  return host_atomic(p, [=](T old) { return T(old + x); });
}
template <class T> HOST_INLINE T atomicMax(T* p, T x) {
  return host_atomic(p, [=](T old) { return old > x ? old : x; });
}
template <class T> HOST_INLINE T atomicMin(T* p, T x) {
  return host_atomic(p, [=](T old) { return old < x ? old : x; });
}
template <class T> HOST_INLINE T atomicOr(T* p, T x) {
  return host_atomic(p, [=](T old) { return T(old | x); });
}
template <class T> HOST_INLINE T atomicExch(T* p, T x) {
  return host_atomic(p, [=](T) { return x; });
}
template <class T> HOST_INLINE T atomicCAS(T* p, T expected, T x) {
  return host_atomic(p, [=](T old) { return old == expected ? x : old; });
}

#include "host_types.h"

#include "host_math.h"

// --- how a launch calls a kernel ---

namespace host {
template <size_t... I> struct Places {};
template <size_t N, size_t... I> struct PlacesTo : PlacesTo<N - 1, N - 1, I...> {};
template <size_t... I> struct PlacesTo<0, I...> {
  typedef Places<I...> type;
};
template <class T> struct Plain {
  typedef T type;
};

template <class... P, size_t... I>
__attribute__((noipa, no_sanitize("thread", "undefined"))) void call(void (*kernel)(P...),
                                                                     void** args, Places<I...>) {
  kernel(*static_cast<P*>(args[I])...);
}

template <class... P> HOST_INLINE void call(void (*kernel)(P...), void** args) {
  call(kernel, args, typename PlacesTo<sizeof...(P)>::type());
}
}  // namespace host

// Written behind the kernel's text: the name that a launch looks for.
#define HOST_ENTRY(kernel) \
  extern "C" void host_entry(void** args) { host::call(&kernel, args); }
