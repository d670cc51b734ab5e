#include "profiler/activities/launcher_rank.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace switchyard {
namespace {

struct Launcher {
  const char* rank;
  const char* size;
  bool needs_size = false;  // the rank's name alone says too little
};

constexpr std::array kLaunchers{Launcher{"RANK", "WORLD_SIZE", true},
                                Launcher{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                Launcher{"PMIX_RANK", "PMIX_SIZE"},
                                Launcher{"PMI_RANK", "PMI_SIZE"},
                                Launcher{"SLURM_PROCID", "SLURM_NTASKS"},
                                Launcher{"FLUX_TASK_RANK", "FLUX_JOB_SIZE"},
                                Launcher{"RANK", "WORLD_SIZE"},
                                Launcher{"LOCAL_RANK", "LOCAL_WORLD_SIZE"}};

std::optional<std::int32_t> whole_number(const char* text) {
  if (text == nullptr) {
    return std::nullopt;
  }
  std::int32_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stopped, problem] = std::from_chars(text, end, number);
  const bool is_number = problem == std::errc() && stopped == end && text != end && number >= 0;
  return is_number ? std::optional(number) : std::nullopt;
}

}  // namespace

LauncherRank find_launcher_rank(const std::function<const char*(const char*)>& variable) {
  for (const Launcher& launcher : kLaunchers) {
    const auto rank = whole_number(variable(launcher.rank));
    const auto size = whole_number(variable(launcher.size));
    if (rank && (size || !launcher.needs_size)) {
      return {*rank, size.value_or(-1), launcher.rank};
    }
  }
  return {};
}

LauncherRank find_launcher_rank() {
  return find_launcher_rank([](const char* name) { return std::getenv(name); });
}

}  // namespace switchyard
