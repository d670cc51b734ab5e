#include "core/files/text_reader.hpp"

#include <cstring>

#include "core/files/byte_reader.hpp"

namespace switchyard {

struct TextReader::State {
  explicit State(const std::filesystem::path& path) : file{path.string(), ""}, bytes(path) {}

  // False at the end of the input.
  bool refill() {
    block = bytes.next(file.at_line(line_number));
    return !block.empty();
  }

  Location file;
  ByteReader bytes;
  std::string_view block;  // what has not been handed out yet
  std::string long_line;   // assembles a line that crosses blocks
  std::size_t line_number = 0;
};

TextReader::TextReader(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}

TextReader::TextReader(TextReader&&) noexcept = default;
TextReader& TextReader::operator=(TextReader&&) noexcept = default;
TextReader::~TextReader() = default;

bool TextReader::next(std::string_view& line) {
  State& state = *state_;
  state.long_line.clear();
  while (true) {
    if (state.block.empty() && !state.refill()) {
      if (state.long_line.empty()) {
        return false;
      }
      line = state.long_line;
      break;
    }
    const char* begin = state.block.data();
    const std::size_t available = state.block.size();
    const auto* end = static_cast<const char*>(std::memchr(begin, '\n', available));
    if (end == nullptr) {
      if (state.long_line.size() + available > kLongestLine) {
        throw InvalidInput("a line of over 1 GiB",
                           state.file.at_line(state.line_number + 1),
                           "this does not look like a text file");
      }
      state.long_line.append(begin, available);
      state.block = {};
      continue;
    }
    const auto length = static_cast<std::size_t>(end - begin);
    state.block.remove_prefix(length + 1);
    if (state.long_line.empty()) {
      line = std::string_view(begin, length);
    } else {
      state.long_line.append(begin, length);
      line = state.long_line;
    }
    break;
  }
  ++state.line_number;
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  return true;
}

std::size_t TextReader::line_number() const {
  return state_->line_number;
}

Location TextReader::where() const {
  return state_->file.at_line(state_->line_number);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t limit) {
  TextReader reader(path);
  std::string content;
  std::string_view line;
  while (reader.next(line)) {
    if (content.size() + line.size() > limit) {
      throw InvalidInput("is larger than expected of such a file", {path.string(), ""});
    }
    content.append(line);
    content.push_back('\n');
  }
  return content;
}

}  // namespace switchyard
