// One line of a Megatron-Core router trace.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/text_reader.hpp"

namespace switchyard {

struct MegatronRecord {
  std::map<std::string, std::int64_t, std::less<>> numbers;  // whole numbers of the record
  std::string block = "decoder";
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> logit_shape;
  std::size_t rows = 0;       // of top_indices
  std::size_t row_width = 0;  // ids in each

  [[nodiscard]] bool has(std::string_view key) const { return numbers.find(key) != numbers.end(); }

  /// Throws InvalidInput if there is no such number or it is negative.
  [[nodiscard]] std::int64_t at(std::string_view key, const Location& where) const;
};

/// `line` is the current line of `reader`. Throws InvalidInput unless it is a JSON object whose
/// top_indices, if any, are lists of equally many expert ids.
MegatronRecord parse_megatron_record(std::string_view line, const TextReader& reader);

}  // namespace switchyard
