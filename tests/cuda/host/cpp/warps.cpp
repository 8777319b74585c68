// Lanes that meet: __syncwarp, shuffles and votes.
//
// Lanes meet where every lane of a mask waits in the same call with the same mask. Different masks of
// one warp are independent as long as they share no lane. A mask that names a lane which has exited
// is a fault, though a GPU may let it pass: whether it has depends on the order of threads.
//
// Only __syncwarp orders memory. Who knows what is kept in clocks, as data-race detectors do: every
// lane counts its own time, and keeps how far it knows of each other lane. A meeting in __syncwarp
// makes all its lanes know what any of them knew, and moves their own time on.
#include <algorithm>
#include <string.h>

#include "scheduler.h"

namespace host {

struct Clocks {
  uint32_t time[WARP];
  uint32_t known[WARP][WARP];  // [lane][other]
};

static Clocks clocks[32];

static Clocks& own_clocks() { return clocks[current.thread / WARP]; }

uint32_t warp_time() { return own_clocks().time[current.thread % WARP]; }

bool comes_after(unsigned lane, uint32_t time) {
  const unsigned self = current.thread % WARP;
  return lane == self || own_clocks().known[self][lane] >= time;
}

void start_warps() {
  memset(clocks, 0, sizeof clocks);
  for (Clocks& warp : clocks) std::fill(warp.time, warp.time + WARP, 1);
}

static bool is_in(unsigned lanes, unsigned lane) { return lanes >> lane & 1; }

static void order_memory(unsigned warp, unsigned lanes) {
  Clocks& c = clocks[warp];
  uint32_t known[WARP] = {}, latest = 0;
  for (unsigned lane = 0; lane < WARP; ++lane) {
    if (!is_in(lanes, lane)) continue;
    latest = std::max(latest, c.time[lane]);
    for (unsigned i = 0; i < WARP; ++i) known[i] = std::max(known[i], c.known[lane][i]);
  }
  for (unsigned i = 0; i < WARP; ++i) {
    if (is_in(lanes, i)) known[i] = c.time[i];
  }
  for (unsigned lane = 0; lane < WARP; ++lane) {
    if (!is_in(lanes, lane)) continue;
    memcpy(c.known[lane], known, sizeof known);
    c.time[lane] = latest + 1;
  }
}

static bool all_wait(unsigned first, unsigned lanes) {
  for (; lanes; lanes &= lanes - 1) {
    if (threads[first + unsigned(__builtin_ctz(lanes))].state != State::at_warp) return false;
  }
  return true;
}

static void meet(unsigned first, unsigned lanes) {
  unsigned votes = 0;
  for (unsigned lane = 0; lane < WARP; ++lane) {
    if (is_in(lanes, lane) && threads[first + lane].given) votes |= 1u << lane;
  }
  for (unsigned lane = 0; lane < WARP; ++lane) {
    if (!is_in(lanes, lane)) continue;
    Thread& thread = threads[first + lane];
    thread.got = thread.source < 0 ? votes : threads[first + unsigned(thread.source)].given;
    thread.state = State::ready;
    if (thread.source >= 0 && !is_in(lanes, unsigned(thread.source))) {
      current.thread = first + lane;
      fail(thread.at, "lanes", "a shuffle reads lane %d, which takes no part", thread.source);
    }
  }
  if (threads[first + unsigned(__builtin_ctz(lanes))].orders_memory) {
    order_memory(first / WARP, lanes);
  }
}

void leave_warp(unsigned thread) {
  const unsigned first = thread / WARP * WARP, lane = thread % WARP;
  for (unsigned i = first; i < std::min(first + WARP, block_threads); ++i) {
    if (threads[i].state == State::at_warp && is_in(threads[i].mask, lane)) {
      fail(threads[i].at, "lanes", "a lane waits for lane %u, which exits", lane);
    }
  }
}

// Every lane of the mask can still come to this call.
static void check_mask(unsigned mask, const void* at) {
  const unsigned lane = current.thread % WARP, first = current.thread - lane;
  if (!is_in(mask, lane)) fail(at, "lanes", "lane %u is not in its own mask 0x%x", lane, mask);
  for (unsigned i = 0; i < WARP; ++i) {
    const Thread& other = threads[first + i];
    const bool is_here = first + i < block_threads && other.state != State::done;
    const bool waits = is_here && other.state == State::at_warp;
    if (is_in(mask, i) && !is_here) fail(at, "lanes", "lane %u is named and has exited", i);
    if (!waits || !((other.mask | 1u << i) & mask)) continue;
    if (other.mask != mask) {
      fail(at, "lanes", "lanes wait with masks 0x%x and 0x%x", other.mask, mask);
    }
    if (other.at != at) fail(at, "lanes", "lanes of one mask wait in two different calls");
  }
}

static uint64_t wait_for_lanes(unsigned mask, uint64_t given, int source, bool orders_memory,
                               const void* at) {
  const unsigned first = current.thread / WARP * WARP;
  Thread& self = threads[current.thread];
  check_mask(mask, at);
  self.state = State::at_warp;
  self.mask = mask;
  self.given = given;
  self.source = source;
  self.orders_memory = orders_memory;
  self.at = at;
  if (all_wait(first, mask)) meet(first, mask);
  give_way();
  return self.got;
}

uint64_t exchange(unsigned mask, uint64_t value, int source) {
  return wait_for_lanes(mask, value, source, false, __builtin_return_address(0));
}

}  // namespace host

void __syncwarp(unsigned mask) {
  host::wait_for_lanes(mask, 0, -1, true, __builtin_return_address(0));
}
