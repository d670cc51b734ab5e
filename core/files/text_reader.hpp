// Line by line through a text file, plain or gzip (recognised by its first bytes).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace switchyard {

class TextReader {
 public:
  /// Throws InvalidInput if the file cannot be opened; "-" reads standard input.
  explicit TextReader(const std::filesystem::path& path);
  TextReader(TextReader&&) noexcept;
  TextReader& operator=(TextReader&&) noexcept;
  TextReader(const TextReader&) = delete;
  TextReader& operator=(const TextReader&) = delete;
  ~TextReader();

  /// The next line without its end ("\n" or "\r\n"); false at the end. The text lives until the
  /// next call. Throws InvalidInput for damaged or cut gzip data and for a line over
  /// `kLongestLine`.
  bool next(std::string_view& line);

  /// Number of the line next() gave last, from 1.
  [[nodiscard]] std::size_t line_number() const;
  /// File and current line, for messages.
  [[nodiscard]] Location where() const;

  static constexpr std::size_t kLongestLine = std::size_t{1} << 30U;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A whole file as text, gunzipped if need be. Throws InvalidInput if unreadable or over `limit`.
std::string read_text_file(const std::filesystem::path& path,
                           std::size_t limit = std::size_t{1} << 30U);

}  // namespace switchyard
