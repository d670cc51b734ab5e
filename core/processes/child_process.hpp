// Runs work that may abort, crash or never end in a process of its own. Results come back only
// through memory or files that the caller opened beforehand.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/numbers/units.hpp"

namespace switchyard {

struct ChildJob {
  std::string name;  // for messages: "SimGrid"
  std::function<void()> work;
  Seconds time_limit{300};
  std::string time_limit_hint;
};

/// The child aborted, threw or crashed.
class ChildFailure : public InternalError {
 public:
  ChildFailure(const std::string& what, std::string reason)
      : InternalError(what), reason_(std::move(reason)) {}

  /// The line that the child wrote about it.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

/// Forks, runs the work in the child and waits for it. Throws MissingCapability when the time limit
/// passes, Interrupted (after ending the child) on Ctrl-C, and ChildFailure with the last line that
/// the child wrote to standard error when it aborts, throws or crashes.
void run_in_child(const ChildJob& job);

/// Zero-filled doubles that a forked child and its parent both see.
class SharedDoubles {
 public:
  explicit SharedDoubles(std::size_t count);
  SharedDoubles(const SharedDoubles&) = delete;
  SharedDoubles& operator=(const SharedDoubles&) = delete;
  SharedDoubles(SharedDoubles&&) = delete;
  SharedDoubles& operator=(SharedDoubles&&) = delete;
  ~SharedDoubles();

  [[nodiscard]] std::span<double> values() const { return values_; }

 private:
  std::span<double> values_;
};

}  // namespace switchyard
