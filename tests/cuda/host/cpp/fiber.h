// Fibers: stacks of their own, switched without the operating system. HOST_UCONTEXT takes the slower
// way of other processors on x86-64 as well.
#pragma once
#include <stddef.h>
#include <stdint.h>

#if !defined(__x86_64__) || defined(HOST_UCONTEXT)
#include <ucontext.h>
#endif

namespace host {

constexpr size_t STACK_NBYTES = 128 << 10;

class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  ~Fiber();

  // The next switch to this fiber calls `function`, which must never return.
  void start(void (*function)(), unsigned number);
  bool has(uintptr_t address) const { return address - base_ < STACK_NBYTES; }

  // Leaves `from`, which goes on at its next turn, for `to`.
  static void change(Fiber& from, Fiber& to);

 private:
  uintptr_t base_ = 0;
#if defined(__x86_64__) && !defined(HOST_UCONTEXT)
  void* top_ = nullptr;  // of the stack, with the saved registers on it
#else
  ucontext_t context_;
#endif
};

}  // namespace host
