// A stackful coroutine small enough to give every emulated CUDA thread one. On x86-64 a switch
// saves six registers; elsewhere ucontext is used, about ten times slower because it saves signal
// masks.
#pragma once

#include <cstddef>
#include <memory>

namespace switchyard {

/// Runs a function on a stack of its own; `enter` and `leave` pass control to and fro.
class Fiber {
 public:
  using EntryPoint = void (*)();

  Fiber();
  ~Fiber();
  Fiber(Fiber&&) noexcept;
  Fiber& operator=(Fiber&&) noexcept;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes the next `enter` start `entry` from its beginning. `entry` must never return: its last
  /// act is `leave(true)`.
  void prepare(EntryPoint entry);

  /// Called by the scheduler: runs the fiber until it leaves.
  void enter();

  /// Called on the fiber: goes back to `enter`. `is_finished` says that it will not be entered
  /// again before `prepare`.
  void leave(bool is_finished = false);

  /// Called first on a fresh fiber (the address sanitizer learns of the new stack).
  void arrive();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard
