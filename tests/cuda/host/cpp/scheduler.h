// Threads of the running block, as scheduler.cpp and warps.cpp share them.
#pragma once
#include "fiber.h"
#include "runtime.h"

namespace host {

enum class State { ready, at_barrier, at_warp, done };

struct Thread {
  Fiber fiber;
  State state;
  // While it waits for lanes of its warp:
  unsigned mask;
  const void* at;
  bool orders_memory;
  int source;
  // What it gives to the other lanes, and what it got:
  uint64_t given, got;
};

extern Thread threads[1024];
extern unsigned block_threads;

void give_way();  // the running thread goes on when it is ready again
void start_warps();
void leave_warp(unsigned thread);  // it has exited: lanes that wait need not wait for it

}  // namespace host
