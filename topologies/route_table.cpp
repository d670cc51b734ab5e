#include "topologies/route_table.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/numbers/random.hpp"

namespace switchyard {
namespace {

constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kFirstSlots = 1024;  // a power of two

std::uint64_t hash_of(std::span<const Hop> hops, std::uint64_t side, double latency_s) {
  std::uint64_t hash = mix_bits(side, std::bit_cast<std::uint64_t>(latency_s));
  for (const Hop& hop : hops) {
    const auto share = std::uint64_t{std::bit_cast<std::uint32_t>(hop.share)};
    hash = mix_bits(hash, (share << 32U) | static_cast<std::uint32_t>(hop.link.value));
  }
  return hash;
}

}  // namespace

RouteTableBuilder::RouteTableBuilder(std::size_t ranks, std::vector<double> link_latency_s)
    : link_latency_s_(std::move(link_latency_s)), slots_(kFirstSlots, kFree) {
  table_.ranks_ = ranks;
  table_.first_hop_.push_back(0);
  // Number 0 is the way from a rank to itself.
  const std::uint32_t nowhere = intern({}, kNear, 0);
  table_.near_.assign(ranks * ranks, nowhere);
  table_.far_.assign(ranks * ranks, nowhere);
}

RouteTableBuilder::RouteTableBuilder(RouteTable table, std::vector<double> link_latency_s)
    : RouteTableBuilder(table.rank_count(), std::move(link_latency_s)) {
  const std::size_t ranks = table.rank_count();
  std::vector<Hop> hops;
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t destination = 0; destination < ranks; ++destination) {
      const RouteHops route = table.hops(source, destination);
      hops.assign(route.begin(), route.end());
      if (table.is_spread()) {
        set_spread(source, destination, hops, table.latency(source, destination).count());
      } else {
        set(source, destination, hops);
      }
    }
  }
}

void RouteTableBuilder::set(std::size_t source,
                            std::size_t destination,
                            std::span<const Hop> path) {
  const std::size_t middle = (path.size() + 1) / 2;
  const std::span<const Hop> near = path.first(middle);
  const std::span<const Hop> far = path.subspan(middle);
  const std::size_t pair = source * table_.ranks_ + destination;
  table_.near_[pair] = intern(near, kNear, latency_of(near));
  table_.far_[pair] = intern(far, kFar, latency_of(far));
}

void RouteTableBuilder::set_spread(std::size_t source,
                                   std::size_t destination,
                                   std::span<const Hop> hops,
                                   double latency_s) {
  const std::size_t middle = (hops.size() + 1) / 2;
  const std::size_t pair = source * table_.ranks_ + destination;
  table_.near_[pair] = intern(hops.first(middle), kNear, latency_s);
  table_.far_[pair] = intern(hops.subspan(middle), kFar, 0);
}

RouteTable RouteTableBuilder::take() && {
  table_.is_spread_ =
      std::ranges::any_of(table_.hops_, [](const Hop& hop) { return hop.share != 1; });
  table_.hops_.shrink_to_fit();
  return std::move(table_);
}

double RouteTableBuilder::latency_of(std::span<const Hop> hops) const {
  double latency = 0;
  for (const Hop& hop : hops) {
    latency += link_latency_s_[hop.link.index()];
  }
  return latency;
}

std::uint32_t RouteTableBuilder::intern(std::span<const Hop> hops, Side side, double latency_s) {
  const std::uint64_t hash = hash_of(hops, side, latency_s);
  std::size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != kFree; slot = (slot + 1) & (slots_.size() - 1)) {
    const std::uint32_t number = slots_[slot];
    if (hashes_[number] == hash && sides_[number] == side &&
        table_.half_latency_s_[number] == latency_s &&
        std::ranges::equal(table_.half(number), hops)) {
      return number;
    }
  }
  if (table_.hops_.size() + hops.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw InvalidInput(
        "the routes of " + std::to_string(table_.ranks_) + " ranks do not fit in memory",
        {},
        "take fewer ranks or the path policy \"hashed\"");
  }
  const auto number = static_cast<std::uint32_t>(table_.half_count());
  slots_[slot] = number;
  hashes_.push_back(hash);
  sides_.push_back(side);
  table_.hops_.insert(table_.hops_.end(), hops.begin(), hops.end());
  table_.first_hop_.push_back(static_cast<std::uint32_t>(table_.hops_.size()));
  table_.half_latency_s_.push_back(latency_s);
  if (hashes_.size() * 2 > slots_.size()) {
    grow_slots();
  }
  return number;
}

void RouteTableBuilder::grow_slots() {
  slots_.assign(slots_.size() * 2, kFree);
  for (std::uint32_t number = 0; number < hashes_.size(); ++number) {
    std::size_t slot = hashes_[number] & (slots_.size() - 1);
    while (slots_[slot] != kFree) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    slots_[slot] = number;
  }
}

}  // namespace switchyard
