// Output files that appear whole or not at all: written beside the target under a temporary name,
// flushed to disk, then renamed over it.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace switchyard {

class AtomicFile {
 public:
  /// Opens the temporary file. Throws InvalidInput if `target` exists and `overwrite` is false, or
  /// if its folder cannot be written. A missing parent folder is an error, never created.
  AtomicFile(std::filesystem::path target, bool overwrite);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  AtomicFile(AtomicFile&&) = delete;
  AtomicFile& operator=(AtomicFile&&) = delete;
  /// Removes the temporary file unless commit() has run: the old target stays as it was.
  ~AtomicFile();

  /// Throws InvalidInput (disk full, file too large, ...) naming the target.
  void write(std::string_view bytes);
  void write(std::span<const std::byte> bytes);
  /// Overwrites bytes already written, for headers whose content is known last.
  void write_at(std::uint64_t offset, std::string_view bytes);
  /// Flushes, then renames over the target.
  void commit();

  /// Where the bytes are until commit(), for libraries that want a path of their own.
  [[nodiscard]] const std::filesystem::path& temporary_path() const { return temporary_; }

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

/// Whole-file convenience over AtomicFile; `path` "-" writes to standard output.
void write_file(const std::filesystem::path& path, std::string_view content, bool overwrite);

/// Throws InvalidInput when `target` exists and `overwrite` is false, or cannot be created: called
/// before a long computation, so that it does not fail at its very end.
void check_writable(const std::filesystem::path& target, bool overwrite);

}  // namespace switchyard
