// zlib's own gzFile would read a cut file without a word and only admit it on close, so the
// stream is inflated here, where the missing end is seen.
#include "core/files/text_reader.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <zlib.h>

namespace switchyard {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 17U;

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) {
      (void)std::fclose(file);
    }
  }
};

using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

FileHandle open_for_reading(const std::filesystem::path& path) {
  if (path == "-") {
    return FileHandle(stdin);
  }
  FileHandle file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    throw InvalidInput(std::string("cannot be opened: ") + std::strerror(errno),
                       {path.string(), ""});
  }
  return file;
}

}  // namespace

struct TextReader::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;

  Location file;
  FileHandle handle;
  std::vector<char> raw = std::vector<char>(kBlock);       // as on disk
  std::vector<char> text = std::vector<char>(kBlock * 4);  // after inflating
  std::size_t raw_size = 0;
  std::size_t text_begin = 0;  // first character not handed out yet
  std::size_t text_end = 0;
  std::string long_line;  // assembles a line that crosses blocks
  std::size_t line_number = 0;
  bool is_gzip = false;
  bool inside_member = false;  // between a gzip member's header and its end
  bool is_finished = false;
  z_stream inflater = {};

  ~State() {
    if (is_gzip) {
      inflateEnd(&inflater);
    }
  }

  std::size_t read_raw() {
    raw_size = std::fread(raw.data(), 1, raw.size(), handle.get());
    if (raw_size == 0 && std::ferror(handle.get()) != 0) {
      throw InvalidInput(std::string("cannot be read: ") + std::strerror(errno), file);
    }
    return raw_size;
  }

  void start() {
    read_raw();
    is_gzip = raw_size >= 2 && static_cast<unsigned char>(raw[0]) == 0x1f &&
              static_cast<unsigned char>(raw[1]) == 0x8b;
    if (is_gzip) {
      constexpr int kGzipOnly = 16 + MAX_WBITS;
      inflateInit2(&inflater, kGzipOnly);
      inflater.next_in = reinterpret_cast<Bytef*>(raw.data());
      inflater.avail_in = static_cast<uInt>(raw_size);
      inside_member = true;
    } else {
      text.swap(raw);
      raw.resize(kBlock);
      text_end = raw_size;
      is_finished = raw_size == 0;
    }
  }

  // Refills `text`; false at the end of the input.
  bool refill() {
    text_begin = 0;
    text_end = 0;
    if (is_finished) {
      return false;
    }
    if (!is_gzip) {
      text_end = std::fread(text.data(), 1, text.size(), handle.get());
      if (text_end == 0 && std::ferror(handle.get()) != 0) {
        throw InvalidInput(std::string("cannot be read: ") + std::strerror(errno), file);
      }
    } else {
      inflate_block();
    }
    is_finished = text_end == 0;
    return !is_finished;
  }

  void inflate_block() {
    while (text_end == 0) {
      if (inflater.avail_in == 0) {
        inflater.next_in = reinterpret_cast<Bytef*>(raw.data());
        inflater.avail_in = static_cast<uInt>(read_raw());
      }
      if (inflater.avail_in == 0) {
        if (inside_member) {
          throw InvalidInput("the gzip data ends too early",
                             file.at_line(line_number),
                             "the file was cut short: copy it again");
        }
        return;
      }
      if (!inside_member) {  // a further member: gzip files may be concatenated
        inflateReset(&inflater);
        inside_member = true;
      }
      inflater.next_out = reinterpret_cast<Bytef*>(text.data());
      inflater.avail_out = static_cast<uInt>(text.size());
      const int result = inflate(&inflater, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END) {
        throw InvalidInput(std::string("damaged gzip data: ") +
                               (inflater.msg != nullptr ? inflater.msg : "unknown fault"),
                           file.at_line(line_number));
      }
      inside_member = result != Z_STREAM_END;
      text_end = text.size() - inflater.avail_out;
    }
  }
};

TextReader::TextReader(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->file.file = path.string();
  std::error_code problem;
  if (std::filesystem::is_directory(path, problem)) {
    throw InvalidInput("is a folder, not a file", state_->file);
  }
  state_->handle = open_for_reading(path);
  state_->start();
}

TextReader::TextReader(TextReader&&) noexcept = default;
TextReader& TextReader::operator=(TextReader&&) noexcept = default;
TextReader::~TextReader() = default;

bool TextReader::next(std::string_view& line) {
  State& state = *state_;
  state.long_line.clear();
  while (true) {
    if (state.text_begin == state.text_end && !state.refill()) {
      if (state.long_line.empty()) {
        return false;
      }
      line = state.long_line;
      break;
    }
    const char* begin = state.text.data() + state.text_begin;
    const std::size_t available = state.text_end - state.text_begin;
    const auto* end = static_cast<const char*>(std::memchr(begin, '\n', available));
    if (end == nullptr) {
      if (state.long_line.size() + available > kLongestLine) {
        throw InvalidInput("a line of over 1 GiB",
                           state.file.at_line(state.line_number + 1),
                           "this does not look like a text file");
      }
      state.long_line.append(begin, available);
      state.text_begin = state.text_end;
      continue;
    }
    const auto length = static_cast<std::size_t>(end - begin);
    state.text_begin += length + 1;
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
