// Block by block through a file, plain or gzip (recognised by its first bytes).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>

#include "core/error.hpp"

namespace switchyard {

class ByteReader {
 public:
  /// Throws InvalidInput if the file cannot be opened; "-" reads standard input.
  explicit ByteReader(const std::filesystem::path& path);
  ByteReader(ByteReader&&) noexcept;
  ByteReader& operator=(ByteReader&&) noexcept;
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;
  ~ByteReader();

  /// The next bytes (inflated), empty at the end. They live until the next call. Throws
  /// InvalidInput for damaged or cut gzip data, naming `place`.
  std::string_view next(const Location& place);

  /// Bytes of the file itself read so far, and its size (0 if unknown): for progress.
  [[nodiscard]] std::uintmax_t file_position() const;
  [[nodiscard]] std::uintmax_t file_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard
