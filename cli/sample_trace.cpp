// Traces are opened by path, because they are mapped; a memory file gives the bytes in this program
// a path without touching the disk.
#include "cli/sample_trace.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "core/components/embedded.hpp"
#include "core/components/suggestion.hpp"
#include "traces/files/trace_file.hpp"

namespace switchyard {
namespace {

constexpr std::string_view kPrefix = "sample:";
constexpr std::string_view kFolder = "traces/samples/";

class MemoryFile {
 public:
  MemoryFile(const std::string& name, std::string_view content)
      : descriptor_(::memfd_create(name.c_str(), MFD_CLOEXEC)) {
    while (descriptor_ >= 0 && !content.empty()) {
      const ssize_t done = ::write(descriptor_, content.data(), content.size());
      if (done <= 0) {
        break;
      }
      content.remove_prefix(static_cast<std::size_t>(done));
    }
    if (descriptor_ < 0 || !content.empty()) {
      throw MissingCapability("not enough memory for the built-in trace", {name, ""});
    }
  }

  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  MemoryFile(MemoryFile&&) = delete;
  MemoryFile& operator=(MemoryFile&&) = delete;

  ~MemoryFile() { ::close(descriptor_); }

  [[nodiscard]] std::filesystem::path path() const {
    return fmt::format("/proc/self/fd/{}", descriptor_);
  }

 private:
  int descriptor_;
};

std::string trace_path(const nlohmann::json& document) {
  const auto found = document.find("trace");
  if (found == document.end()) {
    return {};
  }
  if (found->is_string()) {
    return found->get<std::string>();
  }
  const bool has_path =
      found->is_object() && found->contains("path") && (*found)["path"].is_string();
  return has_path ? (*found)["path"].get<std::string>() : std::string();
}

}  // namespace

bool is_sample_name(const std::string& name) {
  return name.starts_with(kPrefix);
}

std::vector<std::string> sample_names() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_files()) {
    const std::filesystem::path path(file.path);
    if (file.path.starts_with(kFolder) && path.extension() == ".safetensors") {
      names.push_back(std::string(kPrefix) + path.stem().string());
    }
  }
  return names;
}

RoutingData open_sample(const std::string& name) {
  for (const EmbeddedFile& file : embedded_files()) {
    const std::string stem = name.substr(kPrefix.size());
    if (file.path == std::string(kFolder) + stem + ".safetensors") {
      // The map outlives the descriptor.
      return open_routing(MemoryFile(name, file.content).path());
    }
  }
  throw InvalidInput(
      "no built-in trace is called \"" + name + "\"", {}, suggestion_hint(name, sample_names()));
}

Scenario load_scenario_with_samples(const nlohmann::json& document, const Location& where) {
  const std::string path = trace_path(document);
  if (!is_sample_name(path)) {
    return load_scenario(document, where);
  }
  return load_scenario(document, where, std::make_shared<const RoutingData>(open_sample(path)));
}

}  // namespace switchyard
