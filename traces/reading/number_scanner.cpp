#include "traces/reading/number_scanner.hpp"

#include <algorithm>

namespace switchyard {

std::string quotable(std::string_view text, std::size_t longest) {
  std::string quoted(text.substr(0, longest));
  std::replace_if(
      quoted.begin(), quoted.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > longest ? quoted + "..." : quoted;
}

void NumberScanner::fail(const std::string& message) const {
  const std::string_view rest(next_, static_cast<std::size_t>(end_ - next_));
  throw InvalidInput(
      message + (rest.empty() ? ", got the end of the line" : ", got \"" + quotable(rest) + "\""),
      reader_->where());
}

}  // namespace switchyard
