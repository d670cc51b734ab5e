#include "cli/profile_run.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/child_program.hpp"
#include "core/run_control.hpp"
#include "profiler/activities/activity_timeline.hpp"
#include "profiler/activities/launcher_rank.hpp"
#include "profiler/cupti/cupti_presence.hpp"
#include "profiler/injection/injection_environment.hpp"
#include "profiler/timeline_file.hpp"

namespace switchyard {
namespace {

namespace fs = std::filesystem;

// Beside the library, in the build tree and when installed.
fs::path injection_library() {
  Dl_info place{};
  if (dladdr(reinterpret_cast<void*>(&request_interrupt), &place) == 0 ||
      place.dli_fname == nullptr) {
    return {};
  }
  std::error_code problem;
  const fs::path beside = fs::path(place.dli_fname).parent_path() / "libswitchyard_injection.so";
  return fs::exists(beside, problem) ? fs::absolute(beside, problem) : fs::path();
}

std::string timeline_name(std::int32_t rank, std::int64_t process_id) {
  return rank >= 0 ? fmt::format("rank{}.sqlite", rank)
                   : fmt::format("process{}.sqlite", process_id);
}

// The folder for this run's spools: inside the output folder, since that is where programs on other
// machines can write as well. Removed at the end, unless a spool could not be turned into a
// timeline.
class SpoolFolder {
 public:
  explicit SpoolFolder(const fs::path& parent) {
    std::random_device entropy;
    path_ = parent / fmt::format(".spool-{}-{:08x}", ::getpid(), entropy());
    fs::create_directories(path_);
  }

  SpoolFolder(const SpoolFolder&) = delete;
  SpoolFolder& operator=(const SpoolFolder&) = delete;
  SpoolFolder(SpoolFolder&&) = delete;
  SpoolFolder& operator=(SpoolFolder&&) = delete;

  ~SpoolFolder() {
    std::error_code ignored;
    fs::remove(path_, ignored);  // only if it is empty
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

  [[nodiscard]] std::vector<fs::path> spools() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path_)) {
      if (entry.path().extension() == ".spool") {
        found.push_back(entry.path());
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  fs::path path_;
};

// Another process of the same rank may have written already: --force replaces what was there before
// this run, and no measurement of one run replaces another.
fs::path free_name(const ProfileRequest& request,
                   const SpoolOwner& owner,
                   const std::set<fs::path>& written) {
  const fs::path& folder = request.folder;
  fs::path path = folder / timeline_name(owner.rank, owner.process_id);
  if (!fs::exists(path) || (request.overwrite && !written.contains(path))) {
    return path;
  }
  const std::string stem = path.stem().string();
  for (int number = 0;; ++number) {
    const std::string suffix = number == 0 ? "" : fmt::format("_{}", number);
    path = folder / fmt::format("{}_process{}{}.sqlite", stem, owner.process_id, suffix);
    if (!fs::exists(path)) {
      return path;
    }
  }
}

std::string command_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    line += (line.empty() ? "" : " ") + word;
  }
  return line;
}

void describe(ProfiledProcess& process, const SpoolSummary& summary) {
  process.command = summary.owner.command;
  process.host = summary.owner.host;
  process.rank = summary.owner.rank;
  process.process_id = summary.owner.process_id;
  process.ended_by_itself = summary.is_complete;
  process.problem = summary.problem;
  process.problem_hint = summary.problem_hint;
}

// Two passes, since the file's name depends on the owner: the first reads up to the problem or the
// end without keeping records.
ProfiledProcess convert(const fs::path& spool,
                        const ProfileRequest& request,
                        std::set<fs::path>& written) {
  ProfiledProcess process;
  const SpoolSummary known = summarise_spool(spool);
  describe(process, known);
  if (!known.problem.empty() || !known.has_owner) {
    return process;
  }
  process.timeline = free_name(request, known.owner, written);
  TimelineWriter writer(process.timeline, request.overwrite);
  writer.tables.format = "cupti";
  writer.tables.source = command_line(request.words);
  const SpoolContent content = add_spool(spool, known.owner, writer);
  process.kernels = content.kernels;
  process.device_activities = content.device_activities;
  process.lost = content.lost;
  process.events = writer.event_count();
  writer.commit();
  written.insert(process.timeline);
  return process;
}

ProfiledProcess convert_or_keep(const fs::path& spool,
                                const ProfileRequest& request,
                                std::set<fs::path>& written) {
  try {
    ProfiledProcess process = convert(spool, request, written);
    fs::remove(spool);
    return process;
  } catch (const InvalidInput& error) {
    ProfiledProcess process;
    process.problem = error.what();
    process.problem_hint =
        fmt::format("its records are kept: switchyard import {} -o FILE", spool.string());
    return process;
  }
}

std::map<std::string, std::string> injection_environment(const ProfileRequest& request,
                                                         const fs::path& spools) {
  std::map<std::string, std::string> environment{
      {kInjectionVariable, injection_library().string()},
      {kSpoolFolderVariable, fs::absolute(spools).string()},
      {kWholeGraphsVariable, request.whole_graphs ? "1" : "0"}};
  const FoundLibrary cupti = find_cupti();
  if (std::getenv(kNvtxInjectionVariable) == nullptr && cupti.is_there()) {
    environment[kNvtxInjectionVariable] = cupti.path;
  }
  return environment;
}

void check_targets(const ProfileRequest& request) {
  std::error_code problem;
  fs::create_directories(request.folder, problem);
  if (problem || ::access(request.folder.c_str(), W_OK) != 0) {
    throw InvalidInput("is no folder that can be written",
                       {request.folder.string(), ""},
                       "name another with -o FOLDER");
  }
  const LauncherRank own = find_launcher_rank();
  const fs::path target = request.folder / timeline_name(own.rank, 0);
  if (own.rank >= 0 && !request.overwrite && fs::exists(target)) {
    throw InvalidInput("exists already", {target.string(), ""}, "--force replaces it");
  }
}

}  // namespace

void require_profiling(bool is_remote, const std::string& hint) {
  const std::string reason = profiling_build_reason();
  if (!reason.empty()) {
    throw MissingCapability(
        reason, {}, "install CUDA's CUPTI headers and configure with -DSWITCHYARD_CUPTI=ON");
  }
  if (injection_library().empty()) {
    throw MissingCapability("libswitchyard_injection.so is not beside libswitchyard.so",
                            {},
                            "build the target switchyard_injection");
  }
  if (is_remote) {
    return;
  }
  const FoundLibrary cupti = find_cupti();
  if (!cupti.is_there()) {
    throw MissingCapability("profiling is not possible: " + cupti.reason, {}, cupti.hint);
  }
  const DriverState driver = probe_driver();
  if (!driver.is_usable) {
    throw MissingCapability("profiling is not possible: " + driver.description,
                            {},
                            driver.hint + (hint.empty() ? "" : "\n" + hint));
  }
}

ProfileResult profile_program(const ProfileRequest& request) {
  if (const char* taken = std::getenv(kInjectionVariable); taken != nullptr && *taken != '\0') {
    throw InvalidInput("another profiler is at work already (" + std::string(taken) + ")",
                       {kInjectionVariable, ""},
                       "unset it, or leave one of the profilers out");
  }
  check_targets(request);
  const SpoolFolder folder(request.folder);
  const ChildEnd end = run_child(request.words, injection_environment(request, folder.path()));
  ProfileResult result{.exit_code = end.exit_code, .signal = end.signal};
  std::set<fs::path> written;
  for (const fs::path& spool : folder.spools()) {
    result.processes.push_back(convert_or_keep(spool, request, written));
  }
  std::stable_sort(result.processes.begin(),
                   result.processes.end(),
                   [](const auto& left, const auto& right) { return left.rank < right.rank; });
  return result;
}

}  // namespace switchyard
