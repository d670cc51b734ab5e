// Libraries are opened at run time: whoever asks must start everywhere, most of all to say what is
// missing.
#include "profiler/cupti/cupti_presence.hpp"

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <vector>

#include <dlfcn.h>
#include <unistd.h>

namespace switchyard {
namespace {

struct CloseLibrary {
  void operator()(void* library) const { dlclose(library); }
};

using Library = std::unique_ptr<void, CloseLibrary>;

Library open_library(const std::string& name) {
  // Kept for good: these libraries hold state of their own, which leaks when they are unloaded.
  return Library(dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE));
}

template <class Function>
Function symbol(const Library& library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library.get(), name));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> cupti_candidates() {
  const std::array<std::string, 2> names{"libcupti.so.13", "libcupti.so.12"};
  std::vector<std::string> candidates(names.begin(), names.end());
  std::vector<std::string> toolkits;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (!environment(variable).empty()) {
      toolkits.push_back(environment(variable));
    }
  }
  toolkits.emplace_back("/usr/local/cuda");
  for (const std::string& toolkit : toolkits) {
    for (const char* folder : {"/extras/CUPTI/lib64/", "/lib64/"}) {
      for (const std::string& name : names) {
        candidates.push_back(toolkit + folder + name);
      }
    }
  }
  return candidates;
}

}  // namespace

FoundLibrary find_cupti() {
  const std::string chosen = environment("SWITCHYARD_CUPTI_LIBRARY");
  if (!chosen.empty()) {
    if (open_library(chosen)) {
      return {chosen, "", ""};
    }
    return {"",
            "SWITCHYARD_CUPTI_LIBRARY names " + chosen + ", which does not load",
            "name the file libcupti.so.13 itself"};
  }
  for (const std::string& candidate : cupti_candidates()) {
    if (open_library(candidate)) {
      return {candidate, "", ""};
    }
  }
  return {"",
          "libcupti.so.13 or .12 not found",
          "install CUDA's CUPTI and put its folder on LD_LIBRARY_PATH, or point "
          "SWITCHYARD_CUPTI_LIBRARY at the file"};
}

DriverState probe_driver() {
  const Library driver = open_library("libcuda.so.1");
  if (!driver) {
    return {.description = "no NVIDIA driver (libcuda.so.1 not found)",
            .hint =
                "run on a machine with an NVIDIA GPU; in a container, give it the GPU "
                "(--gpus all)"};
  }
  const auto init = symbol<int (*)(unsigned)>(driver, "cuInit");
  const auto count = symbol<int (*)(int*)>(driver, "cuDeviceGetCount");
  const auto name = symbol<int (*)(char*, int, int)>(driver, "cuDeviceGetName");
  const auto version = symbol<int (*)(int*)>(driver, "cuDriverGetVersion");
  DriverState state;
  if (init == nullptr || count == nullptr || name == nullptr || version == nullptr ||
      init(0) != 0 || count(&state.devices) != 0 || state.devices == 0) {
    return {.description = "the NVIDIA driver is installed but offers no GPU",
            .hint = "see what nvidia-smi says, and CUDA_VISIBLE_DEVICES"};
  }
  version(&state.version);
  std::array<char, 128> text{};
  name(text.data(), static_cast<int>(text.size()) - 1, 0);
  state.is_usable = true;
  state.description = std::to_string(state.devices) + " x " + text.data();
  return state;
}

std::string permission_remedy() {
  return "the driver keeps hardware counters for administrators (ERR_NVGPUCTRPERM). As root:\n"
         "  echo 'options nvidia NVreg_RestrictProfilingToAdminUsers=0' > "
         "/etc/modprobe.d/nvidia-profiling.conf\n"
         "  then rebuild the initramfs and reboot (or reload the nvidia module);\n"
         "or run as root, or give a container --cap-add=SYS_ADMIN";
}

ProfilingPermission profiling_permission(const std::string& parameters) {
  std::ifstream file(parameters);
  if (!file) {
    return {.description = "the driver does not tell (" + parameters + " is not there)"};
  }
  constexpr const char* kKey = "RmProfilingAdminOnly:";
  ProfilingPermission permission{.is_known = true,
                                 .description = "counters are open to every user"};
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(kKey, 0) != 0 || line.find('1') == std::string::npos) {
      continue;
    }
    if (::geteuid() == 0) {
      permission.description = "counters are for administrators, which this user is";
    } else {
      permission.allows_counters = false;
      permission.description = "kernel times yes, hardware counters only for administrators";
      permission.hint = permission_remedy();
    }
  }
  return permission;
}

}  // namespace switchyard
