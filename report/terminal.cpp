#include "report/terminal.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace switchyard {
namespace {

constexpr std::chrono::milliseconds kPatience{1000};
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::size_t kBarWidth = 30;
constexpr std::size_t kTextWidth = 40;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

TextStyle TextStyle::of(std::FILE* stream) {
  const bool is_terminal = ::isatty(::fileno(stream)) == 1;
  return TextStyle(is_terminal && environment("NO_COLOR").empty() && environment("TERM") != "dumb");
}

std::string TextStyle::wrap(std::string_view code, std::string_view text) const {
  return has_colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

ProgressBar::ProgressBar(bool is_quiet)
    : is_enabled_(!is_quiet && ::isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"),
      started_(Clock::now()),
      last_drawn_(started_) {}

ProgressBar::~ProgressBar() {
  if (is_drawn_) {
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
  }
}

Progress ProgressBar::callback() {
  return [this](std::string_view what, double fraction) { show(what, fraction); };
}

void ProgressBar::show(std::string_view what, double fraction) {
  if (!is_enabled_) {
    return;
  }
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  if (now - started_ < kPatience || (is_drawn_ && now - last_drawn_ < kRedraw)) {
    return;
  }
  is_drawn_ = true;
  last_drawn_ = now;
  fmt::print(stderr, "\r{}\x1b[K", progress_line(what, fraction, kBarWidth));
  std::fflush(stderr);
}

std::string progress_line(std::string_view what, double fraction, std::size_t width) {
  // Written so that NaN counts as nothing done.
  const double done = fraction > 0 ? std::min(fraction, 1.0) : 0.0;
  const auto filled = static_cast<std::size_t>(done * static_cast<double>(width));
  return fmt::format("[{}{}] {:3.0f} %  {}",
                     std::string(filled, '#'),
                     std::string(width - filled, '.'),
                     done * 100,
                     what.substr(0, kTextWidth));
}

}  // namespace switchyard
