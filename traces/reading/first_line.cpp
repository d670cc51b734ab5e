#include "traces/reading/first_line.hpp"

#include <algorithm>
#include <fstream>

#include "core/files/text_reader.hpp"

namespace switchyard {

std::string first_line(const std::filesystem::path& path, std::size_t longest) noexcept {
  try {
    std::error_code problem;
    if (!std::filesystem::is_regular_file(path, problem)) {
      return {};
    }
    const auto size = static_cast<std::size_t>(std::filesystem::file_size(path));
    std::string start(std::min(longest, size), '\0');
    std::ifstream file(path, std::ios::binary);
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(file.gcount()));
    if (start.starts_with("\x1f\x8b")) {
      TextReader reader(path);
      std::string_view line;
      start = reader.next(line) ? std::string(line.substr(0, longest)) : std::string();
    }
    start.resize(std::min(start.size(), start.find('\n')));
    if (start.ends_with('\r')) {
      start.pop_back();
    }
    return start;
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace switchyard
