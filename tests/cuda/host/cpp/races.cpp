// Data races: two threads touch one place, at least one writes, not both by atomics, and nothing
// says which comes first. Found whatever the order is in which the threads really run.
//
// What comes first:
//   - what a thread did earlier;
//   - in a block, what was done before a __syncthreads that has been passed since;
//   - in a warp, what other lanes did before a __syncwarp of both (warps.cpp keeps the clocks).
// Blocks of one grid are never ordered.
//
// For every grain of memory a cell keeps who loaded, who stored and who updated atomically: the
// latest thread exactly; of several, the lanes of one warp, or that there were several warps or
// blocks. That is enough: an access must come after all of them.
#include <stdlib.h>

#include "runtime.h"

namespace host {

// Who did one kind of access to a grain.
struct Who {
  uint32_t block, epoch, time, lanes;
  uint16_t warp;
  bool anyone, several_blocks, several_warps;
};

struct Cell {
  Who loads, stores, atomics;
};

struct Cells {
  uint64_t grain, count;
  Cell* cells;  // none until the first access
};

Cells* new_cells(uint64_t nbytes, uint64_t grain) {
  return new Cells{grain, nbytes / grain + 1, nullptr};
}

void clear_cells(Cells* cells) {
  free(cells->cells);
  cells->cells = nullptr;
}

void free_cells(Cells* cells) {
  clear_cells(cells);
  delete cells;
}

const char* name_of(Access access) {
  return access == Access::load ? "load" : access == Access::store ? "store" : "atomic update";
}

static uint16_t own_warp() { return uint16_t(current.thread / WARP); }
static uint32_t own_lane() { return 1u << current.thread % WARP; }

// True where everything in `who` comes before the running thread's next access.
static bool is_before(const Who& who) {
  if (!who.anyone) return true;
  if (who.several_blocks || who.block != current.block) return false;
  if (who.epoch != current.epoch) return true;  // a barrier lies between
  if (who.several_warps || who.warp != own_warp()) return false;
  for (uint32_t lanes = who.lanes; lanes; lanes &= lanes - 1) {
    if (!comes_after(unsigned(__builtin_ctz(lanes)), who.time)) return false;
  }
  return true;
}

static void add(Who& who) {
  const bool same_block = who.anyone && who.block == current.block;
  const bool same_epoch = same_block && who.epoch == current.epoch;
  const bool same_warp = same_epoch && who.warp == own_warp();
  who.several_blocks |= who.anyone && !same_block;
  who.several_warps = same_epoch && (who.several_warps || !same_warp);
  who.lanes = (same_warp ? who.lanes : 0) | own_lane();
  // Of several lanes the latest time counts: to come after it is to come after each.
  who.time = same_warp && who.time > warp_time() ? who.time : warp_time();
  who.block = current.block;
  who.epoch = current.epoch;
  who.warp = own_warp();
  who.anyone = true;
}

static void report(const Who& who, Access theirs, Access ours, const char* region, uint64_t offset,
                   const void* at) {
  const char* by = who.several_blocks || who.block != current.block ? "another block"
                   : who.several_warps || who.warp != own_warp()    ? "another warp"
                                                                    : "another lane of the warp";
  fail(at, "race", "%s of byte %lu of %s, unordered with a %s by %s", name_of(ours), offset, region,
       name_of(theirs), by);
}

void check_race(Cells* cells, const char* region, uint64_t offset, uint64_t nbytes, Access access,
                const void* at) {
  if (!cells->cells) cells->cells = static_cast<Cell*>(calloc(cells->count, sizeof(Cell)));
  const uint64_t end = (offset + nbytes - 1) / cells->grain;
  for (uint64_t i = offset / cells->grain; i <= end; ++i) {
    Cell& cell = cells->cells[i];
    const uint64_t byte = i * cells->grain;
    if (!is_before(cell.stores)) report(cell.stores, Access::store, access, region, byte, at);
    if (access != Access::atomic && !is_before(cell.atomics)) {
      report(cell.atomics, Access::atomic, access, region, byte, at);
    }
    if (access != Access::load && !is_before(cell.loads)) {
      report(cell.loads, Access::load, access, region, byte, at);
    }
    add(access == Access::load ? cell.loads : access == Access::store ? cell.stores : cell.atomics);
  }
}

}  // namespace host
