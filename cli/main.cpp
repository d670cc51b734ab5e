// The process around the program: signals, exit codes and how an error looks. The first Ctrl-C lets
// the running job stop at its next safe point and keep what is finished; a second one kills.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "cli/framework/command.hpp"

namespace {

using switchyard::ExitCode;

extern "C" void handle_interrupt(int /*signal*/) {
  switchyard::request_interrupt();
}

void install_signal_handlers() {
  struct sigaction action {};

  action.sa_handler = handle_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// "error: <place>: <what>", then the hint, each of its lines indented.
int report(const std::string& what, const std::string& hint, ExitCode code) {
  std::string text = (code == ExitCode::Interrupted ? "" : "error: ") + what + "\n";
  std::size_t start = 0;
  while (start < hint.size()) {
    const std::size_t end = std::min(hint.find('\n', start), hint.size());
    text += "  " + hint.substr(start, end - start) + "\n";
    start = end + 1;
  }
  fmt::print(stderr, "{}", text);
  return static_cast<int>(code);
}

ExitCode run(int argument_count, char** arguments) {
  ExitCode code = ExitCode::Ok;
  try {
    code = switchyard::run_program(
        std::vector<std::string>(arguments + 1, arguments + argument_count));
  } catch (const std::system_error&) {
    // A long text fills the buffer, so that printing fails before the flush does.
    if (std::ferror(stdout) == 0) {
      throw;
    }
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw switchyard::InvalidInput("cannot be written", {"standard output", ""});
  }
  return code;
}

}  // namespace

int main(int argument_count, char** arguments) {
  install_signal_handlers();
  try {
    return static_cast<int>(run(argument_count, arguments));
  } catch (const switchyard::Error& error) {
    return report(error.what(), error.hint(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return report(
        "not enough memory", "try fewer tokens, layers or ranks", ExitCode::MissingCapability);
  } catch (const std::exception& error) {
    return report(error.what(), "this is a bug in switchyard: please report it", ExitCode::Bug);
  }
}
