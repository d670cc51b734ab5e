#include "core/processes/child_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/run_control.hpp"

namespace switchyard {
namespace {

constexpr int kExitOnException = 70;
constexpr int kPollMilliseconds = 100;
constexpr std::size_t kErrorTextLimit = 65536;

[[noreturn]] void throw_system_error(const char* what) {
  throw InternalError(fmt::format("{}: {}", what, std::strerror(errno)));
}

/// The child's side; never returns. Only what the work itself needs is touched: other threads of
/// the parent, and any lock they held, do not exist here.
[[noreturn]] void be_child(const ChildJob& job, int error_pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGTERM, SIGALRM, SIGABRT, SIGPIPE}) {
    std::signal(signal, SIG_DFL);
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::dup2(error_pipe, STDERR_FILENO);
  ::dup2(error_pipe, STDOUT_FILENO);
  const double limit = std::max(job.time_limit.count(), 1e-6);
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(limit);
  timer.it_value.tv_usec =
      static_cast<suseconds_t>((limit - static_cast<double>(timer.it_value.tv_sec)) * 1e6);
  ::setitimer(ITIMER_REAL, &timer, nullptr);
  try {
    job.work();
  } catch (const std::exception& error) {
    const std::string text = std::string(error.what()) + "\n";
    // Nobody is left to be told if even this fails.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(kExitOnException);
  }
  ::_exit(0);
}

std::string last_line(std::string_view text) {
  std::string_view line;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view next = text.substr(0, end);
    if (next.find_first_not_of(" \t\r") != std::string_view::npos) {
      line = next;
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::string(line);
}

/// Of many lines the one that says why: SimGrid marks it CRITICAL and goes on with a back trace.
std::string reason_in(const std::string& text) {
  const std::size_t critical = text.rfind("CRITICAL");
  return critical == std::string::npos
             ? last_line(text)
             : last_line(text.substr(critical, text.find('\n', critical) - critical));
}

/// A forked child that is ended and waited for on every way out.
class Child {
 public:
  Child(pid_t process, int pipe) : process_(process), pipe_(pipe) {}

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child(Child&&) = delete;
  Child& operator=(Child&&) = delete;

  ~Child() {
    ::close(pipe_);
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      (void)wait();
    }
  }

  /// Everything the child writes, until it closes its end or Ctrl-C.
  [[nodiscard]] std::string read_all() const {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
      throw_if_interrupted();
      pollfd waited{pipe_, POLLIN, 0};
      const int ready = ::poll(&waited, 1, kPollMilliseconds);
      if (ready < 0 && errno != EINTR) {
        throw_system_error("waiting for a child process");
      }
      if (ready <= 0) {
        continue;
      }
      const ssize_t count = ::read(pipe_, buffer.data(), buffer.size());
      if (count == 0) {
        return text;
      }
      if (count > 0 && text.size() < kErrorTextLimit) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
      }
    }
  }

  /// Its wait status.
  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return status;
  }

 private:
  pid_t process_;
  int pipe_;
};

}  // namespace

void run_in_child(const ChildJob& job) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw_system_error("no pipe for a child process");
  }
  std::fflush(nullptr);  // nothing buffered may come out twice
  const pid_t process = ::fork();
  if (process < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw_system_error("no child process");
  }
  if (process == 0) {
    ::close(ends[0]);
    be_child(job, ends[1]);
  }
  ::close(ends[1]);
  Child child(process, ends[0]);
  const std::string text = child.read_all();
  const int status = child.wait();
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    throw MissingCapability(
        fmt::format("{} took longer than {}", job.name, format_quantity(job.time_limit)),
        {},
        job.time_limit_hint);
  }
  if (WIFSIGNALED(status)) {
    throw ChildFailure(fmt::format("{} ended by signal {} ({}): {}",
                                   job.name,
                                   WTERMSIG(status),
                                   ::strsignal(WTERMSIG(status)),
                                   reason_in(text)),
                       reason_in(text));
  }
  if (WEXITSTATUS(status) != 0) {
    throw ChildFailure(fmt::format("{} failed: {}", job.name, reason_in(text)), reason_in(text));
  }
}

SharedDoubles::SharedDoubles(std::size_t count) {
  if (count == 0) {
    return;
  }
  void* memory = ::mmap(
      nullptr, count * sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw_system_error("no shared memory");
  }
  values_ = {static_cast<double*>(memory), count};
}

SharedDoubles::~SharedDoubles() {
  if (!values_.empty()) {
    ::munmap(values_.data(), values_.size_bytes());
  }
}

}  // namespace switchyard
