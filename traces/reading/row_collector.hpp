// Gathers rows that a foreign file gives in any order of (step, layer, source rank).
#pragma once

#include <cstdint>
#include <map>

#include "traces/routing_trace.hpp"

namespace switchyard {

class RowCollector {
 public:
  /// The rows of one chunk so far: append to its columns (its `chunks` stay empty).
  TraceColumns& rows(std::int64_t step, std::int64_t layer, std::int64_t source_rank = -1) {
    return groups_[Key{step, layer, source_rank}];
  }

  [[nodiscard]] bool empty() const { return groups_.empty(); }

  /// Highest expert id + 1 of all rows.
  [[nodiscard]] std::int64_t expert_bound() const;
  /// Everything as one set of columns, chunks ascending; leaves the collector empty. Rows have
  /// `top_k` ids each.
  TraceColumns take(std::size_t top_k);

 private:
  struct Key {
    std::int64_t step;
    std::int64_t layer;
    std::int64_t source_rank;

    auto operator<=>(const Key&) const = default;
  };

  std::map<Key, TraceColumns> groups_;
};

}  // namespace switchyard
