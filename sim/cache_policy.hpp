// Cache policies: which expert leaves a GPU's expert cache when another needs its place.
//
// | hook             | when                                                                |
// |------------------|---------------------------------------------------------------------|
// | insert()         | an expert has got a place                                           |
// | use()            | a resident expert is computed, also right after its insert()        |
// | erase()          | it has lost its place                                               |
// | victim()         | a place is wanted: the resident to give up, none of the pinned ones |
// | start_sequence() | another text begins                                                 |
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/components/registry.hpp"

namespace switchyard {

/// Position of a use that never comes.
inline constexpr std::int64_t kNeverUsed = INT64_MAX;

/// The circumstances of a hook.
struct CacheMoment {
  std::int64_t token = 1;  // passes since the sequence began, this one included
  std::int64_t layer = 0;  // position of the layer being computed, from 0
  bool is_high = true;     // the use asks for full precision
};

/// Experts that may come into one cache. Key of an expert: (layer - first_layer) * experts +
/// expert.
struct CacheShape {
  std::size_t first_layer = 0;
  std::size_t layers = 0;  // of this cache
  std::size_t model_layers = 0;
  std::size_t experts = 0;                 // per layer
  std::span<const std::int64_t> next_use;  // [keys] kept current; empty unless needs_future()
  std::uint64_t seed = 0;

  [[nodiscard]] std::size_t keys() const { return layers * experts; }
};

/// The order of eviction of one cache while it is replayed. Keys are below CacheShape::keys().
class EvictionOrder {
 public:
  EvictionOrder() = default;
  EvictionOrder(const EvictionOrder&) = delete;
  EvictionOrder& operator=(const EvictionOrder&) = delete;
  EvictionOrder(EvictionOrder&&) = delete;
  EvictionOrder& operator=(EvictionOrder&&) = delete;
  virtual ~EvictionOrder() = default;

  virtual void insert(std::uint32_t key, const CacheMoment& moment) = 0;
  virtual void use(std::uint32_t key, const CacheMoment& moment) = 0;
  virtual void erase(std::uint32_t key) = 0;
  /// A resident whose `pins` is 0, or nothing if all are pinned.
  [[nodiscard]] virtual std::optional<std::uint32_t> victim(
      const CacheMoment& moment, std::span<const std::uint16_t> pins) = 0;

  virtual void start_sequence() {}
};

class CachePolicy {
 public:
  CachePolicy() = default;
  CachePolicy(const CachePolicy&) = delete;
  CachePolicy& operator=(const CachePolicy&) = delete;
  CachePolicy(CachePolicy&&) = delete;
  CachePolicy& operator=(CachePolicy&&) = delete;
  virtual ~CachePolicy() = default;

  /// Whether it reads CacheShape::next_use, which no real cache knows.
  [[nodiscard]] virtual bool needs_future() const { return false; }

  [[nodiscard]] virtual std::unique_ptr<EvictionOrder> start(const CacheShape& shape) const = 0;
};

extern template class Registry<CachePolicy>;

}  // namespace switchyard
