// Residents of a cache sorted by a rank that changes when they are used: O(log n) a change.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace switchyard {

class RankedResidents {
 public:
  using Rank = std::pair<std::int64_t, std::int64_t>;

  explicit RankedResidents(std::size_t keys) : places_(keys, order_.end()) {}

  /// Adds a resident, or moves one to another rank.
  void place(std::uint32_t key, Rank rank) {
    if (places_[key] == order_.end()) {
      places_[key] = order_.emplace(rank, key).first;
      return;
    }
    auto node = order_.extract(places_[key]);  // no allocation
    node.value() = {rank, key};
    places_[key] = order_.insert(std::move(node)).position;
  }

  void erase(std::uint32_t key) {
    order_.erase(places_[key]);
    places_[key] = order_.end();
  }

  /// The resident of lowest rank among those without a pin.
  [[nodiscard]] std::optional<std::uint32_t> lowest(std::span<const std::uint16_t> pins) const {
    for (const auto& [rank, key] : order_) {
      if (pins[key] == 0) {
        return key;
      }
    }
    return std::nullopt;
  }

 private:
  using Order = std::set<std::pair<Rank, std::uint32_t>>;

  Order order_;
  std::vector<Order::iterator> places_;  // [keys] end() = not resident
};

}  // namespace switchyard
