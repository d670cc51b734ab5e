// Runs the switchyard program as a user would, for tests of what it prints and how it exits.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace switchyard::testing {

struct ProgramRun {
  int exit_code = -1;  // 128 + signal if killed
  std::string output;  // standard output
  std::string errors;  // standard error
};

/// `words` are the arguments; `folder` the working directory (default: the current one).
ProgramRun run_program(const std::vector<std::string>& words,
                       const std::filesystem::path& folder = {});
/// The same, with SIGINT sent after `delay`.
ProgramRun run_program_and_interrupt(const std::vector<std::string>& words,
                                     std::chrono::milliseconds delay,
                                     const std::filesystem::path& folder = {});
/// A bash command line with the program first on PATH.
ProgramRun run_shell(const std::string& command, const std::filesystem::path& folder = {});

}  // namespace switchyard::testing
