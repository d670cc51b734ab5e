#include "traces/megatron_record.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

// Reads a record without building a document: nearly all of it is one long list of ids.
class RecordReader final : public nlohmann::json_sax<json> {
 public:
  RecordReader(MegatronRecord& record, const TextReader& reader)
      : record_(record), reader_(reader) {}

  bool null() override { return take_no_number(); }

  bool boolean(bool /*value*/) override { return take_no_number(); }

  bool number_integer(number_integer_t value) override { return take(value); }

  bool number_unsigned(number_unsigned_t value) override {
    return take(static_cast<std::int64_t>(
        std::min(value, static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max()))));
  }

  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return take_no_number();
  }

  bool string(string_t& value) override {
    if (depth_ == 1 && key_ == "block") {
      record_.block = value;
    }
    return take_no_number();
  }

  bool binary(binary_t& /*value*/) override { return true; }

  bool start_object(std::size_t /*size*/) override {
    ++depth_;
    return true;
  }

  bool key(string_t& name) override {
    if (depth_ == 1) {
      key_ = name;
      is_ids_ = name == "top_indices";
      is_shape_ = name == "logit_shape";
    }
    return true;
  }

  bool end_object() override {
    --depth_;
    return true;
  }

  bool start_array(std::size_t /*size*/) override {
    ++depth_;
    return true;
  }

  bool end_array() override {
    if (is_ids_ && depth_ == kRowDepth) {
      end_row();
    }
    --depth_;
    return true;
  }

  bool parse_error(std::size_t position,
                   const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    throw InvalidInput(fmt::format("not valid JSON at column {}", position), reader_.where());
  }

 private:
  static constexpr int kRowDepth = 3;  // object, list of rows, row

  bool take(std::int64_t value) {
    if (is_ids_) {
      if (depth_ != kRowDepth || value < kNoExpert || value >= kMostExperts) {
        throw InvalidInput("top_indices is no list of lists of expert ids", reader_.where());
      }
      record_.ids.push_back(static_cast<std::int32_t>(value));
    } else if (is_shape_ && depth_ == 2) {
      record_.logit_shape.push_back(value);
    } else if (depth_ == 1) {
      record_.numbers[key_] = value;
    }
    return true;
  }

  [[nodiscard]] bool take_no_number() const {
    if (is_ids_ && depth_ > 1) {
      throw InvalidInput("top_indices holds something that is no expert id", reader_.where());
    }
    return true;
  }

  void end_row() {
    const std::size_t width = record_.ids.size() - row_begin_;
    row_begin_ = record_.ids.size();
    if (record_.rows++ == 0) {
      record_.row_width = width;
    }
    if (width != record_.row_width || width == 0) {
      throw InvalidInput("the rows of top_indices have different lengths", reader_.where());
    }
  }

  MegatronRecord& record_;
  const TextReader& reader_;
  std::string key_;
  int depth_ = 0;
  bool is_ids_ = false;
  bool is_shape_ = false;
  std::size_t row_begin_ = 0;
};

}  // namespace

std::int64_t MegatronRecord::at(std::string_view key, const Location& where) const {
  const auto found = numbers.find(key);
  if (found == numbers.end() || found->second < 0) {
    throw InvalidInput(fmt::format("the record has no whole number \"{}\"", key), where);
  }
  return found->second;
}

MegatronRecord parse_megatron_record(std::string_view line, const TextReader& reader) {
  MegatronRecord record;
  RecordReader handler(record, reader);
  json::sax_parse(line.begin(), line.end(), &handler);
  return record;
}

}  // namespace switchyard
