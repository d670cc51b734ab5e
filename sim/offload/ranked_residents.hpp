// Residents of a cache sorted by a rank that changes when they are used: O(log n) a change.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace switchyard {

/// `Rank` is ordered; of equal ranks the lower key comes first.
template <class Rank>
class RankedResidents {
 public:
  struct Resident {
    Rank rank;
    std::uint32_t key = 0;

    friend bool operator<(const Resident& left, const Resident& right) {
      return left.rank != right.rank ? left.rank < right.rank : left.key < right.key;
    }
  };

  explicit RankedResidents(std::size_t keys) : places_(keys), is_resident_(keys, 0) {}

  /// Adds a resident, or moves one to another rank.
  void place(std::uint32_t key, const Rank& rank) {
    if (is_resident_[key] == 0) {
      places_[key] = order_.insert({rank, key}).first;
      is_resident_[key] = 1;
      return;
    }
    auto node = order_.extract(places_[key]);  // no allocation
    node.value() = {rank, key};
    places_[key] = order_.insert(std::move(node)).position;
  }

  void erase(std::uint32_t key) {
    order_.erase(places_[key]);
    is_resident_[key] = 0;
  }

  /// The resident of lowest rank among those without a pin, or null.
  [[nodiscard]] const Resident* lowest(std::span<const std::uint16_t> pins) const {
    for (const Resident& resident : order_) {
      if (pins[resident.key] == 0) {
        return &resident;
      }
    }
    return nullptr;
  }

  [[nodiscard]] bool contains(std::uint32_t key) const { return is_resident_[key] != 0; }

 private:
  using Order = std::set<Resident>;

  Order order_;
  std::vector<typename Order::iterator> places_;  // [keys] of residents
  std::vector<std::uint8_t> is_resident_;         // [keys]
};

}  // namespace switchyard
