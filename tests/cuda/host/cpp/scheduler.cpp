// Runs a grid: one block after another, and of a block one thread at a time, until it waits.
//
// The order of blocks and threads is ascending, descending or random from a seed. A right kernel
// gives the same in every order. Barriers are meetings of all threads: what arrives at two different
// calls, after others have exited, or never, is reported.
#include "scheduler.h"

#include <algorithm>
#include <random>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

extern "C" host::Place host_place;
host::Place host_place;

namespace host {

Current current;
Thread threads[1024];
unsigned block_threads;

enum Order { ascending, descending, shuffled };  // as in engine.py

static Fiber scheduler;
static const Launch* launch;
static Fault* fault;
static std::mt19937_64 random_numbers;
static unsigned arrived, exited;  // of the block, at its barrier and at its end
static const void* barrier;       // the call where they wait

// Denormals are zeros, as in kernels compiled with -ftz=true.
class FlushDenormals {
#if defined(__SSE__)
 public:
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#endif
};

void give_way() {
  Thread& self = threads[current.thread];
  current.running = false;
  Fiber::change(self.fiber, scheduler);
}

void fail(const void* at, const char* kind, const char* format, ...) {
  if (!fault->kind[0]) {  // the first fault counts
    fault->block = current.block;
    fault->thread = current.thread;
    fault->at = uint64_t(at);
    snprintf(fault->kind, sizeof fault->kind, "%s", kind);
    va_list values;
    va_start(values, format);
    vsnprintf(fault->text, sizeof fault->text, format, values);
    va_end(values);
  }
  if (current.running) give_way();  // and never comes back
}

bool is_own_stack(uintptr_t address) { return threads[current.thread].fiber.has(address); }

static void wait_for_block(const void* at) {
  if (exited) fail(at, "barrier", "__syncthreads after %u threads of the block have exited", exited);
  if (arrived && barrier != at) {
    fail(at, "barrier", "threads of a block wait in two different calls of __syncthreads");
  }
  barrier = at;
  threads[current.thread].state = State::at_barrier;
  if (++arrived == block_threads) {
    for (unsigned i = 0; i < block_threads; ++i) threads[i].state = State::ready;
    arrived = 0;
    ++current.epoch;
  }
  give_way();
}

static void run_thread() {
  launch->entry(launch->args);
  threads[current.thread].state = State::done;
  ++exited;
  leave_warp(current.thread);
  if (arrived) {
    fail(barrier, "barrier", "%u threads of the block wait in __syncthreads, and one exits", arrived);
  }
  give_way();
  __builtin_unreachable();
}

static void report_deadlock() {
  unsigned at_warp = 0;
  const void* at = barrier;
  for (unsigned i = 0; i < block_threads; ++i) {
    if (threads[i].state != State::at_warp) continue;
    ++at_warp;
    at = threads[i].at;
    current.thread = i;
  }
  fail(at, "deadlock", "%u threads wait in __syncthreads, %u for lanes of their warp; %u have exited",
       arrived, at_warp, exited);
}

// The first thread that is ready, from `from` on in the direction of the order; or none.
static unsigned next_thread(unsigned from) {
  for (unsigned step = 0; step < block_threads; ++step) {
    const bool down = launch->order == descending;
    const unsigned i = (down ? from + block_threads - step : from + step) % block_threads;
    if (threads[i].state == State::ready) return i;
  }
  return block_threads;
}

static void run_block(uint64_t block) {
  current.block = uint32_t(block);
  current.epoch = 1;
  arrived = exited = 0;
  host_place.block = {unsigned(block), 0, 0};
  start_block_memory();
  start_warps();
  for (unsigned i = 0; i < block_threads; ++i) {
    threads[i].state = State::ready;
    threads[i].fiber.start(run_thread, i);
  }
  unsigned at = launch->order == descending ? block_threads - 1 : 0;
  while (exited < block_threads && !fault->kind[0]) {
    if (launch->order == shuffled) at = unsigned(random_numbers() % block_threads);
    at = next_thread(at);
    if (at == block_threads) return report_deadlock();
    current.thread = at;
    host_place.thread = {at, 0, 0};
    host_place.lane = int(at % WARP);
    current.running = true;
    Fiber::change(scheduler, threads[at].fiber);
  }
}

static std::vector<uint64_t> order_of_blocks() {
  std::vector<uint64_t> blocks(launch->blocks);
  for (uint64_t i = 0; i < blocks.size(); ++i) blocks[i] = i;
  if (launch->order == descending) std::reverse(blocks.begin(), blocks.end());
  if (launch->order == shuffled) std::shuffle(blocks.begin(), blocks.end(), random_numbers);
  return blocks;
}

}  // namespace host

void __syncthreads() { host::wait_for_block(__builtin_return_address(0)); }

// Runs one launch; true where it went well.
extern "C" bool host_launch(const host::Launch* launch, host::Fault* fault) {
  using namespace host;
  host::launch = launch;
  host::fault = fault;
  memset(fault, 0, sizeof *fault);
  random_numbers.seed(launch->seed);
  block_threads = unsigned(launch->threads);
  host_place.threads = {block_threads, 1, 1};
  host_place.blocks = {unsigned(launch->blocks), 1, 1};
  start_memory(*launch);
  {
    const FlushDenormals flushed;
    for (uint64_t block : order_of_blocks()) {
      if (!fault->kind[0]) run_block(block);
    }
  }
  end_memory();
  return !fault->kind[0];
}
