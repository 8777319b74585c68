// Where a kernel compiled with -fsanitize reports in.
//
// -fsanitize=thread puts a call in front of every load and store; -fsanitize=signed-integer-overflow
// and its kin one where arithmetic goes wrong. Their libraries are not linked: the functions that the
// compiler calls are these.
#include <string.h>

#include "runtime.h"

#define HERE __builtin_return_address(0)

namespace host {

// What the compiler tells of a place in the text: file, line, column.
struct Location;

static void wrong(const void* at, const char* kind, const char* what) {
  if (current.running) fail(at, kind, "%s", what);
}

uint64_t atomic_read(const void* address, unsigned nbytes) {
  check_access(uintptr_t(address), nbytes, Access::atomic, HERE);
  uint64_t value = 0;
  memcpy(&value, address, nbytes);
  return value;
}

void atomic_write(void* address, uint64_t value, unsigned nbytes) {
  memcpy(address, &value, nbytes);
}

}  // namespace host

using host::Access;
using host::check_access;
using host::Location;
using host::wrong;

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define ACCESS(name, nbytes, access) \
  void __tsan_##name(void* address) { check_access(uintptr_t(address), nbytes, access, HERE); }
#define ACCESSES(nbytes)                                  \
  ACCESS(read##nbytes, nbytes, Access::load)              \
  ACCESS(write##nbytes, nbytes, Access::store)            \
  ACCESS(unaligned_read##nbytes, nbytes, Access::load)    \
  ACCESS(unaligned_write##nbytes, nbytes, Access::store)  \
  ACCESS(volatile_read##nbytes, nbytes, Access::load)     \
  ACCESS(volatile_write##nbytes, nbytes, Access::store)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void* address, uint64_t nbytes) {
  check_access(uintptr_t(address), nbytes, Access::load, HERE);
}
void __tsan_write_range(void* address, uint64_t nbytes) {
  check_access(uintptr_t(address), nbytes, Access::store, HERE);
}

#define ARITHMETIC(name, kind, what, ...) \
  void __ubsan_handle_##name(Location*, ##__VA_ARGS__) { wrong(HERE, kind, what); }
ARITHMETIC(type_mismatch_v1, "alignment", "misaligned or null address", void*)
ARITHMETIC(add_overflow, "overflow", "a sum does not fit its type", void*, void*)
ARITHMETIC(sub_overflow, "overflow", "a difference does not fit its type", void*, void*)
ARITHMETIC(mul_overflow, "overflow", "a product does not fit its type", void*, void*)
ARITHMETIC(negate_overflow, "overflow", "a negated number does not fit its type", void*)
ARITHMETIC(divrem_overflow, "overflow", "a division by zero", void*, void*)
ARITHMETIC(shift_out_of_bounds, "overflow", "a shift by more bits than there are", void*, void*)
ARITHMETIC(float_cast_overflow, "overflow", "a float does not fit a whole number", void*)
ARITHMETIC(out_of_bounds, "bounds", "an index outside its array", void*)
}
