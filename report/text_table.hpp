// Aligned columns of text for terminals.
#pragma once

#include <string>
#include <vector>

namespace switchyard {

class TextTable {
 public:
  enum class Align { Left, Right };

  struct Column {
    std::string title;
    Align align = Align::Right;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell per column.
  void add(std::vector<std::string> cells);
  /// Title line and rows, each starting with `indent` spaces; columns two spaces apart.
  [[nodiscard]] std::string text(std::size_t indent = 2) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Characters that `text` takes on a terminal: UTF-8 code points, none of ours being wide.
std::size_t display_width(const std::string& text);
/// `text` cut in its middle ("node3.gpu...nic5") to at most `width` characters; ASCII only.
std::string shortened(const std::string& text, std::size_t width);

}  // namespace switchyard
