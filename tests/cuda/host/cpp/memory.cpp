// The memory that a kernel may touch, and what is checked of one access: that it lies in one
// allocation, that it is aligned to its size, that somebody has written what it reads, and that it
// does not race with others (races.cpp).
//
// Arrays come with the launch. Shared memory is made here: new for every block, filled with 0xff
// (NaN, -1) and counted as unwritten.
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime.h"

namespace host {

static constexpr int POISON = 0xff;

struct Allocation {
  Region region;
  Cells* cells;
  bool is_shared;
};

struct Static {
  const void* place;
  void* memory;
};

static std::vector<Allocation> allocations;
static std::vector<Static> statics;
static void* dynamic;
static uint64_t shared_nbytes, max_shared_nbytes, accesses, max_accesses;
static size_t latest;  // the allocation of the last access: the next is mostly in it as well

static void clear_shared(const Allocation& allocation) {
  const Region& region = allocation.region;
  memset(reinterpret_cast<void*>(region.begin), POISON, region.end - region.begin);
  memset(region.written, 0, region.end - region.begin);
  clear_cells(allocation.cells);
}

static void* new_shared(uint64_t nbytes, uint64_t itemsize, const char* name) {
  const uint64_t room = (nbytes + 255) / 256 * 256 + 256;  // never null, and a gap behind
  void* memory = aligned_alloc(256, room);
  const auto begin = uintptr_t(memory);
  // Parts of it may hold other types than the one declared: half, but single bytes only if it does.
  const uint64_t grain = std::min<uint64_t>(itemsize, 2);
  const Region region = {begin, begin + nbytes, static_cast<uint8_t*>(malloc(nbytes + 1)), grain,
                         name};
  allocations.push_back({region, new_cells(nbytes, grain), true});
  clear_shared(allocations.back());
  shared_nbytes += nbytes;
  return memory;
}

void start_memory(const Launch& launch) {
  shared_nbytes = accesses = 0;
  max_shared_nbytes = launch.max_shared_nbytes;
  max_accesses = launch.max_accesses;
  latest = 0;
  for (uint64_t i = 0; i < launch.count; ++i) {
    const Region& region = launch.regions[i];
    allocations.push_back({region, new_cells(region.end - region.begin, region.grain), false});
  }
  dynamic = new_shared(launch.shared_nbytes, 2, "dynamic shared memory");
}

void start_block_memory() {
  for (const Allocation& allocation : allocations) {
    if (allocation.is_shared) clear_shared(allocation);
  }
}

void end_memory() {
  for (const Allocation& allocation : allocations) {
    free_cells(allocation.cells);
    if (!allocation.is_shared) continue;
    free(allocation.region.written);
    free(reinterpret_cast<void*>(allocation.region.begin));
  }
  allocations.clear();
  statics.clear();
}

void* shared(const void* place, size_t nbytes, size_t itemsize) {
  for (const Static& known : statics) {
    if (known.place == place) return known.memory;
  }
  void* memory = new_shared(nbytes, itemsize, "shared memory");
  statics.push_back({place, memory});
  if (shared_nbytes > max_shared_nbytes) {
    fail(__builtin_return_address(0), "bounds", "a block has %lu bytes of shared memory, not %lu",
         max_shared_nbytes, shared_nbytes);
  }
  return memory;
}

void* dynamic_shared(size_t) { return dynamic; }

static Allocation* find(uintptr_t address) {
  for (size_t i = 0; i < allocations.size(); ++i) {
    const size_t at = (latest + i) % allocations.size();
    const Region& region = allocations[at].region;
    if (address < region.begin || address >= region.end) continue;
    latest = at;
    return &allocations[at];
  }
  return nullptr;
}

// Which allocation an address just misses, for the report.
static const Region* nearest(uintptr_t address, uint64_t* distance) {
  const Region* best = nullptr;
  for (const Allocation& allocation : allocations) {
    const Region& region = allocation.region;
    const uint64_t away = address < region.begin ? region.begin - address : address - region.end;
    if (!best || away < *distance) {
      best = &region;
      *distance = away;
    }
  }
  return best;
}

static void report_bounds(uintptr_t address, uint64_t nbytes, Access access, const void* at) {
  uint64_t distance = 0;
  const Region* region = nearest(address, &distance);
  fail(at, "bounds", "%s of %lu bytes, %lu bytes %s %s", name_of(access), nbytes, distance,
       address < region->begin ? "before" : "behind the end of", region->name);
}

static bool is_power_of_two(uint64_t n) { return (n & (n - 1)) == 0; }

void check_access(uintptr_t address, uint64_t nbytes, Access access, const void* at) {
  if (!current.running || is_own_stack(address)) return;
  if (++accesses > max_accesses) fail(at, "endless", "more than %lu accesses", max_accesses);
  Allocation* allocation = find(address);
  if (!allocation) return report_bounds(address, nbytes, access, at);
  const Region& region = allocation->region;
  const uint64_t offset = address - region.begin;
  if (address + nbytes > region.end) {
    fail(at, "bounds", "%s of %lu bytes, across the end of %s", name_of(access), nbytes, region.name);
  }
  if (nbytes <= 16 && is_power_of_two(nbytes) && address % nbytes) {
    fail(at, "alignment", "%s of %lu bytes at byte %lu of %s", name_of(access), nbytes, offset,
         region.name);
  }
  if (access != Access::store && memchr(region.written + offset, 0, nbytes)) {
    fail(at, "unwritten", "%s of byte %lu of %s, which nobody has written", name_of(access), offset,
         region.name);
  }
  check_race(allocation->cells, region.name, offset, nbytes, access, at);
  if (access != Access::load) memset(region.written + offset, 1, nbytes);
}

}  // namespace host
