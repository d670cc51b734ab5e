// Output goes to files rather than pipes, so that nothing blocks however much is printed.
#include "tests/support/run_program.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/folders.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

constexpr int kSignalBase = 128;
constexpr int kNotStarted = 127;

std::string program_folder() {
  return (build_folder() / "bin").string();
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void redirect(int descriptor, const std::filesystem::path& path, int flags) {
  const int opened = ::open(path.c_str(), flags, 0600);
  if (opened < 0 || ::dup2(opened, descriptor) < 0) {
    ::_exit(kNotStarted);
  }
  ::close(opened);
}

ProgramRun run(std::vector<std::string> words,
               const std::filesystem::path& folder,
               std::chrono::milliseconds interrupt_after) {
  const TemporaryFolder outputs;
  const auto output = outputs.path() / "output";
  const auto errors = outputs.path() / "errors";
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    throw std::runtime_error("cannot fork");
  }
  if (child == 0) {
    redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
    redirect(STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC);
    redirect(STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC);
    if (!folder.empty() && ::chdir(folder.c_str()) != 0) {
      ::_exit(kNotStarted);
    }
    ::execvp(arguments.front(), arguments.data());
    ::_exit(kNotStarted);
  }
  if (interrupt_after.count() > 0) {
    std::this_thread::sleep_for(interrupt_after);
    ::kill(child, SIGINT);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status),
          content(output),
          content(errors)};
}

std::vector<std::string> with_program(const std::vector<std::string>& words) {
  std::vector<std::string> all{program_folder() + "/switchyard"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

}  // namespace

ProgramRun run_program(const std::vector<std::string>& words, const std::filesystem::path& folder) {
  return run(with_program(words), folder, std::chrono::milliseconds(0));
}

ProgramRun run_program_and_interrupt(const std::vector<std::string>& words,
                                     std::chrono::milliseconds delay,
                                     const std::filesystem::path& folder) {
  return run(with_program(words), folder, delay);
}

ProgramRun run_shell(const std::string& command, const std::filesystem::path& folder) {
  const std::string line =
      std::string("export PATH=\"") + program_folder() + ":$PATH\"; " + command;
  return run({"bash", "-c", line}, folder, std::chrono::milliseconds(0));
}

}  // namespace switchyard::testing
