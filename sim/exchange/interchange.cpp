#include "sim/exchange/interchange.hpp"

#include <iterator>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"

namespace switchyard {
namespace {

void refuse_window(const Schedule& schedule, const char* language) {
  if (schedule.outstanding > 0) {
    throw MissingCapability(
        fmt::format("{} cannot say that a rank keeps {} transfers in flight",
                    language,
                    schedule.outstanding),
        {},
        "choose an algorithm without a window (--all-to-all direct or pairwise)");
  }
}

/// [ranks] transfers that each rank sends or receives, ascending.
std::vector<std::vector<std::uint32_t>> transfers_by_rank(const Schedule& schedule) {
  std::vector<std::vector<std::uint32_t>> by_rank(schedule.rank_count);
  for (std::uint32_t i = 0; i < schedule.transfer_count(); ++i) {
    by_rank[static_cast<std::size_t>(schedule.source[i])].push_back(i);
    by_rank[static_cast<std::size_t>(schedule.destination[i])].push_back(i);
  }
  return by_rank;
}

void append_goal_send(fmt::memory_buffer& text, const Schedule& schedule, std::uint32_t transfer) {
  const auto out = std::back_inserter(text);
  fmt::format_to(out,
                 "s{0}: send {1}b to {2} tag {0}\n",
                 transfer,
                 schedule.bytes[transfer],
                 schedule.destination[transfer]);
  for (const std::uint32_t earlier : schedule.dependencies_of(transfer)) {
    if (schedule.destination[earlier] == schedule.source[transfer]) {
      fmt::format_to(out, "s{} requires r{}\n", transfer, earlier);
    } else if (schedule.source[earlier] == schedule.source[transfer]) {
      fmt::format_to(out, "s{} requires s{}\n", transfer, earlier);
    } else {
      throw MissingCapability(
          fmt::format("GOAL cannot say that transfer {} of rank {} waits for ranks {} and {}",
                      transfer,
                      schedule.source[transfer],
                      schedule.source[earlier],
                      schedule.destination[earlier]));
    }
  }
}

}  // namespace

std::string htsim_connection_matrix(const Schedule& schedule) {
  refuse_window(schedule, "htsim");
  if (!schedule.dependencies.empty()) {
    throw MissingCapability("htsim's connection matrix cannot say what waits for what",
                            {},
                            "choose an algorithm that sends all at once (--all-to-all direct)");
  }
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "Nodes {}\nConnections {}\n", schedule.rank_count, schedule.transfer_count());
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    if (schedule.bytes[i] > std::numeric_limits<std::int32_t>::max()) {
      throw MissingCapability(
          fmt::format("htsim cannot read a connection of {} bytes", schedule.bytes[i]),
          {},
          "its sizes end at 2147483647 bytes");
    }
    fmt::format_to(out,
                   "{}->{} id {} start 0 size {}\n",
                   schedule.source[i],
                   schedule.destination[i],
                   i + 1,
                   schedule.bytes[i]);
  }
  return fmt::to_string(text);
}

std::string goal_text(const Schedule& schedule) {
  refuse_window(schedule, "GOAL");
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "num_ranks {}\n", schedule.rank_count);
  const auto by_rank = transfers_by_rank(schedule);
  for (std::size_t rank = 0; rank < schedule.rank_count; ++rank) {
    fmt::format_to(out, "\nrank {} {{\n", rank);
    for (const std::uint32_t transfer : by_rank[rank]) {
      if (schedule.source[transfer] == static_cast<std::int32_t>(rank)) {
        append_goal_send(text, schedule, transfer);
      } else {
        fmt::format_to(out,
                       "r{0}: recv {1}b from {2} tag {0}\n",
                       transfer,
                       schedule.bytes[transfer],
                       schedule.source[transfer]);
      }
    }
    fmt::format_to(out, "}}\n");
  }
  return fmt::to_string(text);
}

}  // namespace switchyard
