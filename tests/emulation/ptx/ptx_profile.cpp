#include "tests/emulation/ptx/ptx_profile.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace switchyard {
namespace {

constexpr std::size_t kLanes = 32;
constexpr std::uint64_t kSectorBytes = 32;
constexpr std::uint64_t kBankBytes = 4;
constexpr std::uint64_t kBanks = 32;

std::uint64_t sector_count(const std::vector<PtxProfile::Access>& lanes) {
  std::set<std::uint64_t> sectors;
  for (const auto& lane : lanes) {
    for (std::uint64_t sector = lane.address / kSectorBytes;
         sector <= (lane.address + lane.bytes - 1) / kSectorBytes;
         ++sector) {
      sectors.insert(sector);
    }
  }
  return sectors.size();
}

/// Words of one bank that differ need passes of their own; atomics on one word do so too.
std::uint64_t wavefront_count(const std::vector<PtxProfile::Access>& lanes) {
  std::array<std::multiset<std::uint64_t>, kBanks> banks;
  const bool is_atomic = lanes[0].kind == PtxAccess::SharedAtomic;
  for (const auto& lane : lanes) {
    for (std::uint64_t at = lane.address; at < lane.address + lane.bytes; at += kBankBytes) {
      const std::uint64_t word = at / kBankBytes;
      auto& bank = banks[word % kBanks];
      if (is_atomic || !bank.contains(word)) {
        bank.insert(word);
      }
    }
  }
  std::size_t most = 1;
  for (const auto& bank : banks) {
    most = std::max(most, bank.size());
  }
  return most;
}

}  // namespace

void PtxProfile::begin_block(std::size_t warps, std::size_t instructions) {
  instructions_ = instructions;
  executions_.assign(warps * instructions * kLanes, 0);
  requests_.clear();
}

std::uint32_t PtxProfile::execute(std::uint32_t warp, std::uint32_t lane, std::size_t at) {
  return executions_[(warp * instructions_ + at) * kLanes + lane]++;
}

void PtxProfile::access(std::uint32_t warp,
                        std::size_t at,
                        std::uint32_t occurrence,
                        const Access& access) {
  requests_[{warp, at, occurrence}].push_back(access);
}

void PtxProfile::count_request(const std::vector<Access>& lanes) {
  switch (lanes[0].kind) {
    case PtxAccess::GlobalLoad:
      counters_.load_sectors += sector_count(lanes);
      return;
    case PtxAccess::GlobalStore:
      counters_.store_sectors += sector_count(lanes);
      return;
    default:
      counters_.shared_wavefronts += wavefront_count(lanes);
  }
}

void PtxProfile::end_block() {
  for (std::size_t first = 0; first < executions_.size(); first += kLanes) {
    const auto lanes = executions_.begin() + static_cast<std::ptrdiff_t>(first);
    counters_.warp_instructions += *std::max_element(lanes, lanes + kLanes);
  }
  for (const auto& [request, lanes] : requests_) {
    count_request(lanes);
  }
  requests_.clear();
}

}  // namespace switchyard
