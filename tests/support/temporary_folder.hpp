// A folder of its own for a test, removed at the end.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace switchyard::testing {

class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  TemporaryFolder(TemporaryFolder&&) = delete;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Writes a file inside the folder and answers its path; parents are made.
  std::filesystem::path write(const std::string& name, std::string_view content) const;
  /// The same, gzip-compressed.
  std::filesystem::path write_gzip(const std::string& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// All bytes of a file; none if it cannot be read.
std::string contents(const std::filesystem::path& path);

}  // namespace switchyard::testing
