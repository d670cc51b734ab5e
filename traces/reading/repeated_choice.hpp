// A router never picks an expert twice for one token: the rule by which a wrong guess of top-k, or
// a damaged file, is found out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "traces/routing_trace.hpp"

namespace switchyard {

/// Index of the first id that repeats within its token when every `top_k` ids in a row belong to
/// one token; kNoExpert may repeat.
inline std::optional<std::size_t> first_repeated_choice(std::span<const std::int32_t> ids,
                                                        std::size_t top_k) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (std::size_t j = i / top_k * top_k; j < i && ids[i] != kNoExpert; ++j) {
      if (ids[i] == ids[j]) {
        return i;
      }
    }
  }
  return std::nullopt;
}

}  // namespace switchyard
