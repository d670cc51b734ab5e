// The stack lies between two inaccessible pages, so an overflow stops the test instead of spoiling
// a neighbour. The address sanitizer must be told of each switch or it reports false positives.
#include "tests/emulation/simt/fiber.hpp"

#include <cstdint>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
extern "C" void switchyard_fiber_switch(void** saved_stack_pointer, void* stack_pointer);

asm(R"(
.text
.globl switchyard_fiber_switch
.type switchyard_fiber_switch,@function
switchyard_fiber_switch:
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  ret
.size switchyard_fiber_switch,.-switchyard_fiber_switch
)");
#endif

namespace switchyard {
namespace {

constexpr std::size_t kStackBytes = 128 * 1024;

}  // namespace

struct Fiber::State {
  char* mapping = nullptr;
  std::size_t guard_bytes = 0;
#if defined(__x86_64__)
  void* stack_pointer = nullptr;
  void* scheduler_stack_pointer = nullptr;
#else
  ucontext_t context{};
  ucontext_t scheduler{};
#endif
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack = nullptr;
  std::size_t scheduler_stack_bytes = 0;
#endif

  [[nodiscard]] char* stack() const {
    return mapping + guard_bytes;
  }
};

Fiber::Fiber() : state_(std::make_unique<State>()) {
  state_->guard_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t total = kStackBytes + 2 * state_->guard_bytes;
  void* mapping = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    throw std::bad_alloc();
  }
  state_->mapping = static_cast<char*>(mapping);
  if (mprotect(state_->stack(), kStackBytes, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping, total);
    throw std::bad_alloc();
  }
}

Fiber::~Fiber() {
  if (state_ != nullptr) {
    munmap(state_->mapping, kStackBytes + 2 * state_->guard_bytes);
  }
}

Fiber::Fiber(Fiber&&) noexcept = default;

Fiber& Fiber::operator=(Fiber&& other) noexcept {
  state_.swap(other.state_);
  return *this;
}

void Fiber::prepare(EntryPoint entry) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(state_->stack(), kStackBytes);
#endif
#if defined(__x86_64__)
  auto* top = reinterpret_cast<std::uint64_t*>(state_->stack() + kStackBytes);
  *--top = 0;  // keeps the stack 16-byte aligned at the entry point
  *--top = reinterpret_cast<std::uint64_t>(entry);
  for (int saved_register = 0; saved_register < 6; ++saved_register) {
    *--top = 0;
  }
  state_->stack_pointer = top;
#else
  getcontext(&state_->context);
  state_->context.uc_stack.ss_sp = state_->stack();
  state_->context.uc_stack.ss_size = kStackBytes;
  state_->context.uc_link = nullptr;
  makecontext(&state_->context, entry, 0);
#endif
}

void Fiber::enter() {
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state_->stack(), kStackBytes);
#endif
#if defined(__x86_64__)
  switchyard_fiber_switch(&state_->scheduler_stack_pointer, state_->stack_pointer);
#else
  swapcontext(&state_->scheduler, &state_->context);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::leave([[maybe_unused]] bool is_finished) {
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(
      is_finished ? nullptr : &fake_stack, state_->scheduler_stack, state_->scheduler_stack_bytes);
#endif
#if defined(__x86_64__)
  switchyard_fiber_switch(&state_->stack_pointer, state_->scheduler_stack_pointer);
#else
  swapcontext(&state_->context, &state_->scheduler);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(
      fake_stack, &state_->scheduler_stack, &state_->scheduler_stack_bytes);
#endif
}

void Fiber::arrive() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(
      nullptr, &state_->scheduler_stack, &state_->scheduler_stack_bytes);
#endif
}

}  // namespace switchyard
