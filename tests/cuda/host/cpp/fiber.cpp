// A switch saves the registers that a called function must keep, changes the stack and takes the
// other fiber's registers from it: about 10 instructions on x86-64. Other processors use ucontext,
// which also asks the operating system for the signal mask at every switch and is slower.
#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

namespace host {

static uintptr_t new_stack() {
  const size_t guard = size_t(sysconf(_SC_PAGESIZE));  // what runs over its stack ends the process
  void* pages = mmap(nullptr, STACK_NBYTES + guard, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) __builtin_trap();
  mprotect(pages, guard, PROT_NONE);
  return uintptr_t(pages) + guard;
}

Fiber::~Fiber() {
  const size_t guard = size_t(sysconf(_SC_PAGESIZE));
  if (base_) munmap(reinterpret_cast<void*>(base_ - guard), STACK_NBYTES + guard);
}

#if defined(__x86_64__) && !defined(HOST_UCONTEXT)

extern "C" void host_change(void** from, void* to);
__asm__(
    ".text\n.globl host_change\n.type host_change,@function\n"
    "host_change:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n");

void Fiber::start(void (*function)(), unsigned number) {
  if (!base_) base_ = new_stack();
  // Stacks begin at different cache sets: equal locals of all threads would fight over one.
  const uintptr_t shift = number % 128 * 64;
  void** top = reinterpret_cast<void**>(base_ + STACK_NBYTES - shift);
  *--top = nullptr;  // keeps the stack aligned as a call would
  *--top = reinterpret_cast<void*>(function);
  for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
  top_ = top;
}

void Fiber::change(Fiber& from, Fiber& to) { host_change(&from.top_, to.top_); }

#else

void Fiber::start(void (*function)(), unsigned) {
  if (!base_) base_ = new_stack();
  getcontext(&context_);
  context_.uc_stack.ss_sp = reinterpret_cast<void*>(base_);
  context_.uc_stack.ss_size = STACK_NBYTES;
  context_.uc_link = nullptr;
  makecontext(&context_, function, 0);
}

void Fiber::change(Fiber& from, Fiber& to) { swapcontext(&from.context_, &to.context_); }

#endif

}  // namespace host
