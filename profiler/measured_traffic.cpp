#include "profiler/measured_traffic.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace switchyard {
namespace {

constexpr std::int32_t kMostRanks = 65536;

class TrafficCollector {
 public:
  explicit TrafficCollector(const EventTimeline& timeline) : timeline_(timeline) {
    for (const TimelineProcess& process : timeline.tables.processes) {
      recorded_.insert(process.rank);
    }
  }

  void add(const TimelineEvent& event, const CollectiveDetail& detail) {
    const std::string& operation = timeline_.tables.names.text(detail.operation);
    if (detail.source_rank >= 0 && detail.destination_rank >= 0) {
      const bool is_counted_by_sender =
          operation == "receive" && recorded_.contains(detail.source_rank);
      if (event.bytes >= 0 && !is_counted_by_sender) {
        add(detail.source_rank, detail.destination_rank, event.bytes);
        ++traffic_.messages;
      }
      return;
    }
    if (operation != "all_to_all") {
      return;
    }
    const std::int32_t rank = timeline_.tables.processes[event.process].rank;
    const bool is_known = !detail.in_splits.empty() && detail.element_bytes > 0 && rank >= 0 &&
                          detail.ranks.size() == detail.in_splits.size();
    if (!is_known) {
      ++traffic_.without_peer;
      return;
    }
    for (std::size_t i = 0; i < detail.ranks.size(); ++i) {
      add(rank, detail.ranks[i], detail.in_splits[i] * detail.element_bytes);
    }
    ++traffic_.messages;
  }

  MeasuredTraffic finish() {
    std::int32_t highest = -1;
    for (const auto& [pair, bytes] : bytes_) {
      highest = std::max({highest, pair.first, pair.second});
    }
    const auto ranks = static_cast<std::size_t>(highest + 1);
    traffic_.bytes = Matrix<std::int64_t>(ranks, ranks);
    for (const auto& [pair, bytes] : bytes_) {
      traffic_.bytes(static_cast<std::size_t>(pair.first), static_cast<std::size_t>(pair.second)) =
          bytes;
    }
    return std::move(traffic_);
  }

 private:
  void add(std::int32_t from, std::int32_t to, std::int64_t bytes) {
    if (from < kMostRanks && to < kMostRanks && to >= 0) {
      bytes_[{from, to}] += bytes;
    }
  }

  const EventTimeline& timeline_;
  std::set<std::int32_t> recorded_;
  std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> bytes_;
  MeasuredTraffic traffic_;
};

}  // namespace

MeasuredTraffic measured_traffic(const EventTimeline& timeline) {
  TrafficCollector collector(timeline);
  for (const TimelineEvent& event : timeline.events) {
    if (const CollectiveDetail* detail = timeline.collective(event)) {
      if (detail->operation.is_valid()) {
        collector.add(event, *detail);
      }
    }
  }
  return collector.finish();
}

}  // namespace switchyard
