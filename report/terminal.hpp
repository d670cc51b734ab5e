// What the terminal allows: colour, and a progress bar that keeps out of the way.
#pragma once

#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

#include "core/run_control.hpp"

namespace switchyard {

/// Emphasis that turns into nothing where colour is unwelcome.
class TextStyle {
 public:
  explicit TextStyle(bool has_colour) : has_colour_(has_colour) {}

  /// Colour only if `stream` is a terminal, NO_COLOR is unset and TERM is not "dumb".
  static TextStyle of(std::FILE* stream);

  [[nodiscard]] std::string bold(std::string_view text) const { return wrap("1", text); }

  [[nodiscard]] std::string warning(std::string_view text) const { return wrap("33", text); }

 private:
  [[nodiscard]] std::string wrap(std::string_view code, std::string_view text) const;

  bool has_colour_;
};

/// One line on standard error, shown only on a terminal, only after a second, redrawn at most ten
/// times a second, and wiped at the end. Safe to call from several threads.
class ProgressBar {
 public:
  explicit ProgressBar(bool is_quiet);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ProgressBar(ProgressBar&&) = delete;
  ProgressBar& operator=(ProgressBar&&) = delete;
  ~ProgressBar();

  /// To hand to a long job; the bar must outlive it.
  [[nodiscard]] Progress callback();

 private:
  using Clock = std::chrono::steady_clock;

  void show(std::string_view what, double fraction);

  bool is_enabled_;
  bool is_drawn_ = false;
  Clock::time_point started_;
  Clock::time_point last_drawn_;
  std::mutex mutex_;
};

/// "[######......] 50 %  what", `width` columns for the bar itself.
std::string progress_line(std::string_view what, double fraction, std::size_t width);

}  // namespace switchyard
