// The flag is the one piece of global state a signal handler may touch.
#include "core/run_control.hpp"

#include <csignal>

#include "core/error.hpp"

namespace switchyard {
namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): signal handlers need one
volatile std::sig_atomic_t interrupted = 0;

}  // namespace

void request_interrupt() noexcept {
  interrupted = 1;
}

bool interrupt_requested() noexcept {
  return interrupted != 0;
}

void throw_if_interrupted() {
  if (interrupt_requested()) {
    throw Interrupted();
  }
}

}  // namespace switchyard
