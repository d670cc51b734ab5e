// RapidJSON's event parser over a file of any size, plain or gzip: numbers arrive as their text, so
// that no digit is lost, and errors name the offset.
#pragma once

#include <algorithm>
#include <string_view>

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include "core/files/byte_reader.hpp"
#include "core/run_control.hpp"

namespace switchyard {

/// RapidJSON's stream concept over a ByteReader.
class JsonStream {
 public:
  using Ch = char;

  JsonStream(const std::filesystem::path& path, const Progress& progress)
      : where_{path.string(), ""}, reader_(path), progress_(progress) {
    refill();
  }

  // There is always a letter to look at: '\0' at the end of the file.
  [[nodiscard]] Ch Peek() const { return *at_; }  // NOLINT(readability-identifier-naming)

  Ch Take() {  // NOLINT(readability-identifier-naming)
    const Ch taken = *at_++;
    if (at_ == end_) {
      refill();
    }
    return taken;
  }

  /// The letters that lie ready: at least one.
  [[nodiscard]] std::string_view ready() const {
    return {at_, static_cast<std::size_t>(end_ - at_)};
  }

  /// Steps over `count` of the letters that lie ready.
  void skip(std::size_t count) {
    at_ += count;
    if (at_ == end_) {
      refill();
    }
  }

  [[nodiscard]] std::size_t Tell() const {  // NOLINT(readability-identifier-naming)
    return before_ + static_cast<std::size_t>(at_ - begin_);
  }

  // The writing half of the concept, which a parser that copies never calls.
  Ch* PutBegin() { return nullptr; }  // NOLINT(readability-identifier-naming)

  void Put(Ch /*letter*/) {}  // NOLINT(readability-identifier-naming)

  void Flush() {}  // NOLINT(readability-identifier-naming)

  std::size_t PutEnd(Ch* /*begin*/) { return 0; }  // NOLINT(readability-identifier-naming)

  [[nodiscard]] Location where() const { return where_.at_offset(Tell()); }

  [[nodiscard]] bool is_at_end() const { return is_at_end_; }

 private:
  void refill() {
    throw_if_interrupted();
    before_ += is_at_end_ ? 0 : static_cast<std::size_t>(end_ - begin_);
    std::string_view block = reader_.next(where_.at_offset(before_));
    is_at_end_ = block.empty();
    if (is_at_end_) {
      block = std::string_view(&kEnd, 1);
    }
    begin_ = at_ = block.data();
    end_ = begin_ + block.size();
    if (progress_ && reader_.file_size() > 0) {
      progress_(
          "reading",
          static_cast<double>(reader_.file_position()) / static_cast<double>(reader_.file_size()));
    }
  }

  static constexpr Ch kEnd = '\0';

  Location where_;
  ByteReader reader_;
  const Progress& progress_;
  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::size_t before_ = 0;  // bytes of earlier blocks
  bool is_at_end_ = false;
};

}  // namespace switchyard

namespace rapidjson {

/// RapidJSON's hook for the letters between two values.
template <>
inline void SkipWhitespace(switchyard::JsonStream& from) {
  const auto is_white = [](char letter) {
    return letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
  };
  while (is_white(from.Peek())) {
    from.skip(1);
  }
}

/// RapidJSON's hook for a quick way through a string up to the next letter that needs a look: it
/// has one for texts in memory, this one copies from block to block.
template <>
template <>
inline void GenericReader<UTF8<>, UTF8<>, CrtAllocator>::ScanCopyUnescapedString(
    switchyard::JsonStream& from,
    GenericReader<UTF8<>, UTF8<>, CrtAllocator>::StackStream<char>& to) {
  constexpr unsigned char kFirstPlain = 0x20;  // letters below are not allowed in a string
  for (bool is_whole = true; is_whole;) {
    const std::string_view ready = from.ready();
    const auto* const end = std::find_if(ready.begin(), ready.end(), [](char letter) {
      return letter == '"' || letter == '\\' || static_cast<unsigned char>(letter) < kFirstPlain;
    });
    is_whole = end == ready.end();
    const auto count = static_cast<std::size_t>(end - ready.begin());
    if (count > 0) {
      std::copy_n(ready.data(), count, static_cast<char*>(to.Push(static_cast<SizeType>(count))));
      from.skip(count);
    }
  }
}

}  // namespace rapidjson

namespace switchyard {

/// Runs `handler` (RapidJSON's SAX concept; it may throw) over one whole document. Throws
/// InvalidInput with the offset for anything that is no JSON, is cut, or is followed by more.
template <class Handler>
void parse_json_stream(JsonStream& stream, Handler& handler) {
  // Iterative: a file of ten million brackets must not exhaust the stack.
  // Encoding is left to those who keep a text: checking every letter would take half the time.
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  if (stream.is_at_end() && (result.IsError() || !handler.is_complete())) {
    throw InvalidInput("the JSON ends too early",
                       stream.where(),
                       "the file was cut short: copy it again, or let the profiler finish");
  }
  if (result.IsError()) {
    throw InvalidInput(std::string("no valid JSON: ") + rapidjson::GetParseError_En(result.Code()),
                       stream.where());
  }
}

}  // namespace switchyard
