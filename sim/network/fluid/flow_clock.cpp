// The loops over all chains run once per event; they are written in fixed lanes so that compilers
// vectorise them and every processor gives the same bits.
#include "sim/network/fluid/flow_clock.hpp"

#include <algorithm>
#include <limits>

#include "sim/network/fluid/sharing/vector_clones.hpp"

namespace switchyard {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
// Readings differ by rounding from what the rates say; without this an end could stay out of reach.
constexpr double kReadingRounding = 4e-16;
constexpr std::uint32_t kBlock = 32;  // chains per entry of block_next_

/// Time to the first end in each block of kBlock chains.
SWITCHYARD_VECTOR_CLONES
void first_ends(const double* earliest,
                const double* moved,
                const double* inverse_rate,
                std::size_t blocks,
                double* block_next) {
  for (std::size_t block = 0; block < blocks; ++block) {
    double lane[8];
    for (double& each : lane) {
      each = kNever;
    }
    for (std::size_t chain = block * kBlock; chain < (block + 1) * kBlock; chain += 8) {
      for (std::size_t k = 0; k < 8; ++k) {
        const double after = (earliest[chain + k] - moved[chain + k]) * inverse_rate[chain + k];
        lane[k] = after < lane[k] ? after : lane[k];
      }
    }
    double first = lane[0];
    for (std::size_t k = 1; k < 8; ++k) {
      first = lane[k] < first ? lane[k] : first;
    }
    block_next[block] = first;
  }
}

SWITCHYARD_VECTOR_CLONES
void add_scaled(double* moved, const double* rate, double seconds, std::size_t count) {
  for (std::size_t chain = 0; chain < count; ++chain) {
    moved[chain] += rate[chain] * seconds;
  }
}

std::size_t padded(std::size_t chains) {
  return (chains + kBlock - 1) / kBlock * kBlock;
}

}  // namespace

FlowClock::FlowClock(std::size_t chains)
    : chain_count_(static_cast<std::uint32_t>(chains)),
      moved_(padded(chains), 0),
      earliest_(padded(chains), kNever),
      rate_(padded(chains), 1),
      inverse_rate_(padded(chains), 1),
      block_next_(padded(chains) / kBlock, kNever),
      is_stale_(chains, 0) {}

void FlowClock::refresh(std::uint32_t chain, const ChainMembers& members) {
  double earliest = kNever;
  for (const std::uint32_t slot : members.held_slots(chain)) {
    earliest = std::min(earliest, end_reading_[slot]);
  }
  earliest_[chain] = earliest;
  is_stale_[chain] = 0;
}

double FlowClock::time_to_next_end(const ChainMembers& members) {
  first_ends(earliest_.data(),
             moved_.data(),
             inverse_rate_.data(),
             block_next_.size(),
             block_next_.data());
  // A stale bound is too early, never too late: look into the first block until it stays the first.
  std::ptrdiff_t looked_into = -1;
  for (;;) {
    const auto best = std::min_element(block_next_.begin(), block_next_.end());
    const auto block = best - block_next_.begin();
    if (block == looked_into) {
      return std::max(0.0, *best);
    }
    *best = first_end_in_block(static_cast<std::uint32_t>(block), members);
    looked_into = block;
  }
}

/// Time to the first end in the block; refreshes the stale chains that it depends on.
double FlowClock::first_end_in_block(std::uint32_t block, const ChainMembers& members) {
  double next = kNever;
  const std::uint32_t end = std::min(chain_count_, (block + 1) * kBlock);
  for (std::uint32_t chain = block * kBlock; chain < end; ++chain) {
    double after = (earliest_[chain] - moved_[chain]) * inverse_rate_[chain];
    if (after < next && is_stale_[chain] != 0) {
      refresh(chain, members);
      after = (earliest_[chain] - moved_[chain]) * inverse_rate_[chain];
    }
    next = std::min(next, after);
  }
  return next;
}

void FlowClock::collect_ends(const ChainMembers& members,
                             double limit,
                             std::vector<std::uint32_t>& flows) {
  for (std::uint32_t block = 0; block < block_next_.size(); ++block) {
    if (block_next_[block] > limit) {
      continue;
    }
    for (std::uint32_t chain = block * kBlock; chain < std::min(chain_count_, (block + 1) * kBlock);
         ++chain) {
      const double reading = moved_[chain] * (1 + kReadingRounding) + limit * rate_[chain];
      if (earliest_[chain] > reading) {
        continue;
      }
      for (const std::uint32_t slot : members.held_slots(chain)) {
        if (end_reading_[slot] <= reading) {
          flows.push_back(members.flow_of(slot));
        }
      }
    }
  }
}

void FlowClock::advance(double seconds) {
  add_scaled(moved_.data(), rate_.data(), seconds, moved_.size());
}

}  // namespace switchyard
