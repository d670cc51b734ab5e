#include "traces/reading/row_collector.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace switchyard {
namespace {

template <class T>
void move_rows(std::vector<T>& to, std::vector<T>& from) {
  if (to.empty()) {
    to.swap(from);
  } else {
    to.insert(to.end(), from.begin(), from.end());
  }
}

}  // namespace

std::int64_t RowCollector::expert_bound() const {
  std::int32_t highest = kNoExpert;
  for (const auto& [key, columns] : groups_) {
    for (const std::int32_t id : columns.expert_ids) {
      highest = std::max(highest, id);
    }
  }
  return std::int64_t{highest} + 1;
}

TraceColumns RowCollector::take(std::size_t top_k) {
  TraceColumns all;
  std::int64_t first = 0;
  for (auto& [key, columns] : groups_) {
    SWITCHYARD_CHECK(columns.expert_ids.size() % top_k == 0, "rows of different lengths");
    const auto rows = static_cast<std::int64_t>(columns.expert_ids.size() / top_k);
    all.chunks.push_back({key.step, key.layer, key.source_rank, first, rows});
    first += rows;
    move_rows(all.expert_ids, columns.expert_ids);
    move_rows(all.gate_weights, columns.gate_weights);
    move_rows(all.logits, columns.logits);
    move_rows(all.token_ids, columns.token_ids);
    move_rows(all.sequence_ids, columns.sequence_ids);
    columns = {};
  }
  groups_.clear();
  return all;
}

}  // namespace switchyard
