#include "traces/reading/numbered_files.hpp"

#include <charconv>
#include <system_error>

#include "core/error.hpp"

namespace switchyard {

std::optional<std::int64_t> number_in_name(std::string_view name,
                                           std::string_view prefix,
                                           std::string_view suffix) {
  if (name.size() <= prefix.size() + suffix.size() || name.substr(0, prefix.size()) != prefix ||
      name.substr(name.size() - suffix.size()) != suffix) {
    return std::nullopt;
  }
  const std::string_view digits =
      name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (problem != std::errc() || end != digits.data() + digits.size() || number < 0) {
    return std::nullopt;
  }
  return number;
}

std::map<std::int64_t, std::filesystem::path> numbered_files(const std::filesystem::path& folder,
                                                             std::string_view prefix,
                                                             std::string_view suffix) {
  std::map<std::int64_t, std::filesystem::path> files;
  std::error_code problem;
  if (!std::filesystem::is_directory(folder, problem)) {
    return files;
  }
  std::filesystem::directory_iterator entries(folder, problem);
  if (problem) {
    throw InvalidInput("cannot be read: " + problem.message(), {folder.string(), ""});
  }
  for (const auto& entry : entries) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(".gz")) {
      name.resize(name.size() - 3);
    }
    const auto number = number_in_name(name, prefix, suffix);
    if (number && !files.emplace(*number, entry.path()).second) {
      throw InvalidInput("two files have the number " + std::to_string(*number),
                         {folder.string(), ""},
                         "is one the compressed copy of the other? keep one of them");
    }
  }
  return files;
}

}  // namespace switchyard
