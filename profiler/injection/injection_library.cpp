// libswitchyard_injection.so: the CUDA driver loads it into a program that knows nothing of it
// (CUDA_INJECTION64_PATH) and calls InitializeInjection() before anything runs on the GPU. It
// records into a spool file until the program exits. It must never harm its host: it links next to
// nothing, throws nothing, and stays silent unless it cannot do its work.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include <unistd.h>

#include "core/error.hpp"
#include "profiler/activities/activity_spool.hpp"
#include "profiler/activities/launcher_rank.hpp"
#include "profiler/cupti/cupti_session.hpp"
#include "profiler/injection/injection_environment.hpp"

namespace switchyard {
namespace {

constexpr std::uint32_t kFlushPeriodMilliseconds = 1000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

void complain(const std::exception& error) noexcept {
  std::fprintf(stderr, "switchyard profile: %s\n", error.what());
}

// One a process; never destroyed, since CUPTI may call until the very end.
class Injection {
 public:
  static Injection& instance() {
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): atexit has no user data
    static Injection& injection = *new Injection;
    return injection;
  }

  void start() {
    const std::string folder = environment(kSpoolFolderVariable);
    if (folder.empty() || spool_) {
      return;
    }
    owner_ = ::getpid();
    const std::string host = host_name();
    spool_ = std::make_unique<SpoolWriter>(folder + "/" + host + "-" + std::to_string(owner_) +
                                           ".spool");
    const LauncherRank rank = find_launcher_rank();
    SpoolOwner owner{.process_id = owner_,
                     .rank = rank.rank,
                     .world_size = rank.world_size,
                     .host = host,
                     .command = program_invocation_short_name};
    try {
      session_ = std::make_unique<CuptiSession>(
          *spool_,
          CuptiOptions{.whole_graphs = environment(kWholeGraphsVariable) == "1",
                       .flush_period_ms = kFlushPeriodMilliseconds});
      owner.epoch_unix_ns = session_->epoch_unix_ns();
      owner.cupti_version = session_->version();
      spool_->write_owner(owner);
    } catch (const Error& error) {
      spool_->write_owner(owner);
      spool_->write_problem(error.what(), error.hint());
      return;
    }
    std::atexit([] { instance().finish(); });
  }

 private:
  // A fork of the program inherits the exit handler but not the session.
  void finish() noexcept {
    if (::getpid() != owner_) {
      return;
    }
    session_->finish();
    try {
      spool_->write_end();
    } catch (const std::exception& error) {
      complain(error);
    }
  }

  pid_t owner_ = 0;
  std::unique_ptr<SpoolWriter> spool_;
  std::unique_ptr<CuptiSession> session_;
};

}  // namespace
}  // namespace switchyard

// NOLINTNEXTLINE(readability-identifier-naming): the driver looks for this name.
extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
  try {
    switchyard::Injection::instance().start();
  } catch (const std::exception& error) {
    switchyard::complain(error);
  }
  return 1;
}
