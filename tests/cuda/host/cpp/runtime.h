// What the parts of the runtime know of each other. None of them is compiled with a sanitizer: the
// kernel is, and its reports arrive in hooks.cpp.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "place.h"

namespace host {

constexpr unsigned WARP = 32;

// One allocation that a kernel may touch. The layout is engine.py's as well.
struct Region {
  uintptr_t begin, end;
  uint8_t* written;    // per byte: has anyone written it?
  uint64_t grain;      // bytes of what races are looked for in
  const char* name;
};

// Layout of engine.py.
struct Launch {
  void (*entry)(void** args);
  void** args;
  uint64_t blocks, threads, shared_nbytes, max_shared_nbytes, order, seed, max_accesses;
  const Region* regions;
  uint64_t count;
};

// What went wrong; layout of engine.py. `at` is an address in the kernel's machine code.
struct Fault {
  uint64_t block, thread, at;
  char kind[24];
  char text[232];
};

enum class Access { load, store, atomic };

// Which thread is running, and how far its block and its warp have come.
struct Current {
  uint32_t block, thread, epoch;  // epoch: barriers that the block has passed
  bool running;                   // false while the scheduler works
};
extern Current current;

// --- scheduler.cpp ---

// Ends the launch; does not return where a thread is running. Takes printf's arguments.
void fail(const void* at, const char* kind, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
bool is_own_stack(uintptr_t address);

// --- warps.cpp ---

// Time of the running thread in its warp, and whether it comes after what `lane` did at `time`.
uint32_t warp_time();
bool comes_after(unsigned lane, uint32_t time);

// --- memory.cpp ---

void start_memory(const Launch& launch);
void start_block_memory();
void end_memory();
void check_access(uintptr_t address, uint64_t nbytes, Access access, const void* at);

// --- races.cpp ---

struct Cells;  // of one region
Cells* new_cells(uint64_t nbytes, uint64_t grain);
void free_cells(Cells* cells);
void clear_cells(Cells* cells);
void check_race(Cells* cells, const char* region, uint64_t offset, uint64_t nbytes, Access access,
                const void* at);

const char* name_of(Access access);

}  // namespace host
