// Distinct integer types for the things that are counted, so that a rank cannot be passed as an
// expert. Bulk arrays hold the plain integers; single values crossing an interface use these.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace switchyard {

template <class Tag>
struct Identifier {
  std::int32_t value = -1;

  constexpr Identifier() = default;

  constexpr explicit Identifier(std::int32_t number) : value(number) {}

  constexpr explicit Identifier(std::size_t number) : value(static_cast<std::int32_t>(number)) {}

  /// For indexing containers.
  [[nodiscard]] constexpr std::size_t index() const { return static_cast<std::size_t>(value); }

  /// False for the default "no such thing" value.
  [[nodiscard]] constexpr bool is_valid() const { return value >= 0; }

  constexpr auto operator<=>(const Identifier&) const = default;
};

using ExpertId = Identifier<struct ExpertTag>;  // logical expert
using SlotId = Identifier<struct SlotTag>;      // physical copy of an expert
using RankId = Identifier<struct RankTag>;      // one GPU of the expert-parallel group
using NodeId = Identifier<struct NodeTag>;      // NVLink (scale-up) domain
using DeviceId = Identifier<struct DeviceTag>;  // vertex of a fabric
using LinkId = Identifier<struct LinkTag>;      // directed edge of a fabric
using LayerId = Identifier<struct LayerTag>;    // MoE layer

}  // namespace switchyard
