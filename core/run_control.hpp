// How a long job hears Ctrl-C and tells how far it is. The handler only sets a flag; loops look at
// it between units of work, so that files are finished or removed by ordinary stack unwinding.
#pragma once

#include <functional>
#include <string_view>

namespace switchyard {

/// Called with what is being done and the fraction finished, 0 to 1.
using Progress = std::function<void(std::string_view what, double fraction)>;

/// Async-signal-safe.
void request_interrupt() noexcept;
[[nodiscard]] bool interrupt_requested() noexcept;
/// Throws Interrupted once request_interrupt has been called.
void throw_if_interrupted();

}  // namespace switchyard
