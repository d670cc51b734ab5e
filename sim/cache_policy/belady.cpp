// Belady's MIN (IBM Systems Journal 5(2), 1966): the expert whose next use is the farthest away
// leaves. It reads the future, so it bounds what any policy could reach; Read-ME (arXiv
// 2410.19123) comes close to it because its router decides before the layers run.
#include "sim/cache_policy.hpp"
#include "sim/offload/ranked_residents.hpp"

namespace switchyard {
namespace {

class BeladyOrder final : public EvictionOrder {
 public:
  explicit BeladyOrder(const CacheShape& shape)
      : next_use_(shape.next_use), residents_(shape.keys()) {}

  void insert(std::uint32_t key, const CacheMoment& /*moment*/) override { rank(key); }

  void use(std::uint32_t key, const CacheMoment& /*moment*/) override { rank(key); }

  void erase(std::uint32_t key) override { residents_.erase(key); }

  [[nodiscard]] std::optional<std::uint32_t> victim(const CacheMoment& /*moment*/,
                                                    std::span<const std::uint16_t> pins) override {
    const auto* lowest = residents_.lowest(pins);
    return lowest != nullptr ? std::optional(lowest->key) : std::nullopt;
  }

 private:
  void rank(std::uint32_t key) { residents_.place(key, -next_use_[key]); }

  std::span<const std::int64_t> next_use_;
  RankedResidents<std::int64_t> residents_;  // minus the next use
};

class Belady final : public CachePolicy {
 public:
  explicit Belady(Parameters& /*parameters*/) {}

  [[nodiscard]] bool needs_future() const override { return true; }

  [[nodiscard]] std::unique_ptr<EvictionOrder> start(const CacheShape& shape) const override {
    return std::make_unique<BeladyOrder>(shape);
  }
};

const Register<CachePolicy, Belady> kBelady{
    "belady", "the one needed last leaves: the best there is, with the future known"};

}  // namespace
}  // namespace switchyard
