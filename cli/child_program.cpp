#include "cli/child_program.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"

namespace switchyard {
namespace {

constexpr std::array kForwarded{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
constexpr int kSignalBase = 128;

std::atomic<pid_t>& child_of_handler() {
  static std::atomic<pid_t> child = 0;
  static_assert(std::atomic<pid_t>::is_always_lock_free, "used in a signal handler");
  return child;
}

// A terminal sends Ctrl-C to the whole foreground group, the child included; any other signal was
// meant for us alone, and whoever sent it means the program that we run.
extern "C" void forward(int signal, siginfo_t* sender, void* /*context*/) {
  const int saved = errno;
  const pid_t child = child_of_handler();
  if (child > 0 && sender->si_code <= 0) {
    ::kill(child, signal);
  }
  errno = saved;
}

class ForwardSignals {
 public:
  // Blocked until the child is known, so that no signal falls between.
  ForwardSignals() {
    child_of_handler() = 0;
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &mask_before_);

    struct sigaction action {};

    action.sa_sigaction = forward;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (std::size_t i = 0; i < kForwarded.size(); ++i) {
      ::sigaction(kForwarded[i], &action, &before_[i]);
    }
  }

  ForwardSignals(const ForwardSignals&) = delete;
  ForwardSignals& operator=(const ForwardSignals&) = delete;
  ForwardSignals(ForwardSignals&&) = delete;
  ForwardSignals& operator=(ForwardSignals&&) = delete;

  void begin(pid_t child) const {
    child_of_handler() = child;
    unblock();
  }

  void unblock() const { ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr); }

  ~ForwardSignals() {
    child_of_handler() = 0;
    unblock();
    for (std::size_t i = 0; i < kForwarded.size(); ++i) {
      ::sigaction(kForwarded[i], &before_[i], nullptr);
    }
  }

 private:
  std::array<struct sigaction, kForwarded.size()> before_{};
  sigset_t mask_before_{};
};

// Carries the errno of a failed exec to the parent; closes by itself when exec works.
class StartReport {
 public:
  StartReport() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw InvalidInput(std::string("no pipe: ") + std::strerror(errno));
    }
  }

  StartReport(const StartReport&) = delete;
  StartReport& operator=(const StartReport&) = delete;
  StartReport(StartReport&&) = delete;
  StartReport& operator=(StartReport&&) = delete;

  ~StartReport() {
    ::close(ends_[0]);
    close_writer();
  }

  void send(int error) const {
    const ssize_t sent = ::write(ends_[1], &error, sizeof(error));
    static_cast<void>(sent);  // nobody is left to tell
  }

  /// 0 if exec worked. Called once, by the parent.
  int receive() {
    close_writer();
    int error = 0;
    ssize_t got = 0;
    do {
      got = ::read(ends_[0], &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    return got == sizeof(error) ? error : 0;
  }

 private:
  void close_writer() {
    if (ends_[1] >= 0) {
      ::close(ends_[1]);
      ends_[1] = -1;
    }
  }

  std::array<int, 2> ends_{-1, -1};
};

ChildEnd wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    return {kSignalBase + WTERMSIG(status), WTERMSIG(status)};
  }
  return {WEXITSTATUS(status), 0};
}

}  // namespace

ChildEnd run_child(const std::vector<std::string>& words,
                   const std::map<std::string, std::string>& environment) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  std::fflush(stdout);
  const ForwardSignals forwarding;
  StartReport report;
  const pid_t child = ::fork();
  if (child < 0) {
    throw InvalidInput(std::string("cannot fork: ") + std::strerror(errno), {words.front(), ""});
  }
  if (child == 0) {
    for (const auto& [name, value] : environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    forwarding.unblock();
    ::execvp(arguments.front(), arguments.data());
    report.send(errno);
    ::_exit(127);
  }
  forwarding.begin(child);
  const int error = report.receive();
  const ChildEnd end = wait_for(child);
  if (error != 0) {
    throw InvalidInput(std::string("cannot be started: ") + std::strerror(error),
                       {words.front(), ""},
                       "give the program and its arguments after --");
  }
  return end;
}

}  // namespace switchyard
