// zlib's own gzFile would read a cut file without a word and only admit it on close, so the
// stream is inflated here, where the missing end is seen.
#include "core/files/byte_reader.hpp"

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
  const Location where{path.string(), ""};
  std::error_code problem;
  if (std::filesystem::is_directory(path, problem)) {
    throw InvalidInput("is a folder, not a file", where);
  }
  if (path == "-") {
    return FileHandle(stdin);
  }
  FileHandle file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    throw InvalidInput(std::string("cannot be opened: ") + std::strerror(errno), where);
  }
  return file;
}

}  // namespace

struct ByteReader::State {
  explicit State(const std::filesystem::path& path)
      : file{path.string(), ""}, handle(open_for_reading(path)) {
    std::error_code problem;
    const auto bytes = std::filesystem::file_size(path, problem);
    size = problem ? 0 : bytes;
    read_raw();
    is_gzip = raw_size >= 2 && static_cast<unsigned char>(raw[0]) == 0x1f &&
              static_cast<unsigned char>(raw[1]) == 0x8b;
    if (is_gzip) {
      constexpr int kGzipOnly = 16 + MAX_WBITS;
      inflateInit2(&inflater, kGzipOnly);
      inflater.next_in = reinterpret_cast<Bytef*>(raw.data());
      inflater.avail_in = static_cast<uInt>(raw_size);
      inside_member = true;
      text.resize(kBlock * 4);
    }
  }

  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;

  ~State() {
    if (is_gzip) {
      inflateEnd(&inflater);
    }
  }

  void read_raw() {
    raw_size = std::fread(raw.data(), 1, raw.size(), handle.get());
    if (raw_size == 0 && std::ferror(handle.get()) != 0) {
      throw InvalidInput(std::string("cannot be read: ") + std::strerror(errno), file);
    }
    position += raw_size;
  }

  // A block of a plain file; the constructor has read the first.
  std::string_view plain_block() {
    if (!is_first_block) {
      read_raw();
    }
    is_first_block = false;
    return {raw.data(), raw_size};
  }

  std::string_view inflated_block(const Location& place) {
    std::size_t produced = 0;
    while (produced == 0) {
      if (inflater.avail_in == 0) {
        read_raw();
        inflater.next_in = reinterpret_cast<Bytef*>(raw.data());
        inflater.avail_in = static_cast<uInt>(raw_size);
      }
      if (inflater.avail_in == 0) {
        if (inside_member) {
          throw InvalidInput(
              "the gzip data ends too early", place, "the file was cut short: copy it again");
        }
        return {};
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
                           place);
      }
      inside_member = result != Z_STREAM_END;
      produced = text.size() - inflater.avail_out;
    }
    return {text.data(), produced};
  }

  Location file;
  FileHandle handle;
  std::uintmax_t size = 0;
  std::uintmax_t position = 0;
  std::vector<char> raw = std::vector<char>(kBlock);  // as on disk
  std::vector<char> text;                             // after inflating
  std::size_t raw_size = 0;
  bool is_gzip = false;
  bool inside_member = false;  // between a gzip member's header and its end
  bool is_first_block = true;
  z_stream inflater = {};
};

ByteReader::ByteReader(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}

ByteReader::ByteReader(ByteReader&&) noexcept = default;
ByteReader& ByteReader::operator=(ByteReader&&) noexcept = default;
ByteReader::~ByteReader() = default;

std::string_view ByteReader::next(const Location& place) {
  return state_->is_gzip ? state_->inflated_block(place) : state_->plain_block();
}

std::uintmax_t ByteReader::file_position() const {
  return state_->position;
}

std::uintmax_t ByteReader::file_size() const {
  return state_->size;
}

}  // namespace switchyard
