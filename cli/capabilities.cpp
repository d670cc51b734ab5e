// Libraries that may be absent are opened at run time, never linked: the program must start
// everywhere, most of all to say what is missing.
#include "cli/capabilities.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/components/embedded.hpp"
#include "core/numbers/units.hpp"
#include "core/run_control.hpp"
#include "profiler/cupti/cupti_presence.hpp"

namespace switchyard {
namespace {

using State = Capability::State;

struct CloseLibrary {
  void operator()(void* library) const { dlclose(library); }
};

using Library = std::unique_ptr<void, CloseLibrary>;

Library open_library(const char* name) {
  return Library(dlopen(name, RTLD_LAZY | RTLD_LOCAL));
}

template <class Function>
Function symbol(const Library& library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library.get(), name));
}

Capability processor() {
  std::string vectors;
#if defined(__x86_64__)
  const auto add = [&](bool is_there, const char* name) {
    vectors += is_there ? std::string(vectors.empty() ? "" : ", ") + name : "";
  };
  add(__builtin_cpu_supports("avx2") != 0, "AVX2");
  add(__builtin_cpu_supports("avx512f") != 0, "AVX-512");
  add(__builtin_cpu_supports("avx512bf16") != 0, "AVX-512 BF16");
  const bool is_fast = __builtin_cpu_supports("avx2") != 0;
#else
  const bool is_fast = true;
  vectors = "not x86-64: portable code";
#endif
  const auto memory = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  return {"processor",
          is_fast ? State::Works : State::Limited,
          fmt::format("{} threads, {} memory, {}",
                      std::thread::hardware_concurrency(),
                      format_quantity(Bytes{memory}),
                      vectors.empty() ? "no AVX2" : vectors),
          is_fast ? "" : "routers run on portable code, several times slower"};
}

Capability openmp() {
  const Library library = open_library("libgomp.so.1");
  const auto threads = library ? symbol<int (*)()>(library, "omp_get_max_threads") : nullptr;
  if (threads == nullptr) {
    return {"OpenMP", State::Missing, "libgomp.so.1 not found", "install the package libgomp1"};
  }
  return {"OpenMP", State::Works, fmt::format("{} threads (OMP_NUM_THREADS)", threads()), ""};
}

Capability gpu() {
  const DriverState driver = probe_driver();
  if (driver.is_usable) {
    return {"GPU", State::Works, driver.description, ""};
  }
  return {"GPU",
          State::Missing,
          driver.description,
          "not needed: everything but GPU kernels and profiling runs on the CPU"};
}

Capability cupti() {
  const std::string reason = profiling_build_reason();
  if (!reason.empty()) {
    return {"CUPTI",
            State::Missing,
            reason,
            "install CUDA's CUPTI headers and configure with -DSWITCHYARD_CUPTI=ON"};
  }
  const FoundLibrary library = find_cupti();
  if (library.is_there()) {
    return {"CUPTI", State::Works, library.path + " loads", ""};
  }
  return {"CUPTI", State::Missing, library.reason, "only to profile kernels: " + library.hint};
}

// Kernel times are open to every user; hardware counters may not be.
Capability profiling() {
  const DriverState driver = probe_driver();
  if (!driver.is_usable) {
    return {"GPU profiling",
            State::Missing,
            "needs a GPU and its driver",
            "only to profile kernels: run on a machine where the line on the GPU says \"works\""};
  }
  const ProfilingPermission permission = profiling_permission();
  return {"GPU profiling",
          permission.allows_counters ? State::Works : State::Limited,
          permission.description,
          permission.hint};
}

// Beside the library in the build tree and when installed, or where the linker looks.
Capability simgrid() {
  std::filesystem::path folder;
  Dl_info place{};
  if (dladdr(reinterpret_cast<void*>(&request_interrupt), &place) != 0 &&
      place.dli_fname != nullptr) {
    folder = std::filesystem::path(place.dli_fname).parent_path();
  }
  const std::filesystem::path module = folder / "libswitchyard_simgrid.so";
  std::error_code problem;
  if (!std::filesystem::exists(module, problem)) {
    return {"SimGrid",
            State::Missing,
            module.string() + " not found",
            "only the network \"simgrid\" needs it: build the target switchyard_simgrid"};
  }
  // Loading it for good would cost start-up and state, so only its dependency is tried.
  if (!open_library("libsimgrid.so.3.32") && !open_library("libsimgrid.so")) {
    return {"SimGrid",
            State::Missing,
            "the module is built, but libsimgrid.so does not load",
            "install the package libsimgrid3.32"};
  }
  return {"SimGrid", State::Works, module.string(), ""};
}

Capability embedded_content() {
  std::size_t presets = 0;
  std::size_t schemas = 0;
  std::size_t samples = 0;
  for (const EmbeddedFile& file : embedded_files()) {
    presets += file.path.find("/presets/") != std::string_view::npos ? 1 : 0;
    schemas += file.path.find("/schema/") != std::string_view::npos ? 1 : 0;
    samples += file.path.find("/samples/") != std::string_view::npos ? 1 : 0;
  }
  return {"built-in files",
          presets > 0 ? State::Works : State::Missing,
          fmt::format("{} presets, {} schemas, {} sample files", presets, schemas, samples),
          presets > 0 ? "" : "the program was built from an incomplete tree"};
}

Capability temporary_folder() {
  std::error_code problem;
  const auto folder = std::filesystem::temp_directory_path(problem);
  if (problem || ::access(folder.c_str(), W_OK) != 0) {
    return {"temporary folder", State::Missing, "none is writable", "set TMPDIR"};
  }
  const auto space = std::filesystem::space(folder, problem);
  return {"temporary folder",
          State::Works,
          problem ? folder.string()
                  : fmt::format("{}, {} free",
                                folder.string(),
                                format_quantity(Bytes{static_cast<std::int64_t>(space.available)})),
          ""};
}

Capability real_traces() {
  const char* chosen = std::getenv("SWITCHYARD_DATA");
  if (chosen == nullptr || *chosen == '\0') {
    return {"real traces",
            State::Missing,
            "SWITCHYARD_DATA is not set",
            "only tests on real routing traces need it; the demo has a trace built in"};
  }
  std::error_code problem;
  const bool is_there = std::filesystem::is_directory(chosen, problem);
  return {"real traces",
          is_there ? State::Works : State::Missing,
          fmt::format("{} {}", chosen, is_there ? "(SWITCHYARD_DATA)" : "is no folder"),
          is_there ? "" : "set SWITCHYARD_DATA to the folder that holds routing/"};
}

}  // namespace

std::string capability_state_name(State state) {
  switch (state) {
    case State::Works:
      return "works";
    case State::Limited:
      return "limited";
    default:
      return "missing";
  }
}

std::vector<Capability> find_capabilities() {
  return {processor(),
          openmp(),
          gpu(),
          cupti(),
          profiling(),
          simgrid(),
          embedded_content(),
          temporary_folder(),
          real_traces()};
}

}  // namespace switchyard
