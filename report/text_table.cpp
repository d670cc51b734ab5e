#include "report/text_table.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace switchyard {
namespace {

std::string padded(const std::string& text, std::size_t width, TextTable::Align align) {
  const std::size_t used = display_width(text);
  const std::string gap(width > used ? width - used : 0, ' ');
  return align == TextTable::Align::Left ? text + gap : gap + text;
}

}  // namespace

void TextTable::add(std::vector<std::string> cells) {
  SWITCHYARD_CHECK(cells.size() == columns_.size(), "a table row needs one cell per column");
  rows_.push_back(std::move(cells));
}

std::string TextTable::text(std::size_t indent) const {
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(display_width(column.title));
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::string result;
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += (i == 0 ? "" : "  ") + padded(row[i], widths[i], columns_[i].align);
    }
    result += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  print(titles);
  std::for_each(rows_.begin(), rows_.end(), print);
  return result;
}

std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;  // not a continuation byte
  }));
}

std::string shortened(const std::string& text, std::size_t width) {
  static constexpr std::size_t kDots = 3;
  if (text.size() <= width || width <= kDots) {
    return text.substr(0, std::max(width, kDots));
  }
  const std::size_t tail = (width - kDots) / 2;
  return text.substr(0, width - kDots - tail) + "..." + text.substr(text.size() - tail);
}

}  // namespace switchyard
