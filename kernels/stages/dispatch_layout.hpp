// From expert ids to everything a dispatch needs to know: load of each expert, position of each
// choice among those of its expert, capacity drops, the row of each choice in a buffer sorted by
// expert, and how many distinct tokens go to each rank and node (what DeepEP's get_dispatch_layout
// counts). All results follow from the order of the choices alone, so every executor gives the same
// numbers.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/matrix.hpp"

namespace switchyard {

/// Which of two choices of one expert comes first, and so survives a capacity limit.
enum class ChoiceOrder : std::uint8_t {
  TokenMajor,  ///< by token, then by slot
  SlotMajor,   ///< all first choices before any second one (GShard, arXiv:2006.16668, algorithm 1)
};

struct LayoutRequest {
  MatrixView<const std::int32_t> expert_ids;     // [tokens, k]; kNoExpert = none
  std::span<const std::int32_t> expert_to_rank;  // [experts]
  std::int32_t ranks = 1;
  std::int32_t ranks_per_node = 1;
  std::int32_t capacity = std::numeric_limits<std::int32_t>::max();  ///< choices an expert takes
  ChoiceOrder order = ChoiceOrder::TokenMajor;

  [[nodiscard]] std::size_t experts() const { return expert_to_rank.size(); }

  [[nodiscard]] std::int32_t nodes() const { return (ranks + ranks_per_node - 1) / ranks_per_node; }
};

/// Bits of DispatchLayout::first_copies.
inline constexpr std::uint8_t kFirstOnRank = 1;
inline constexpr std::uint8_t kFirstOnNode = 2;

struct DispatchLayout {
  std::vector<std::int32_t> load;     // [experts] choices, dropped ones too
  std::vector<std::int32_t> offsets;  // [experts + 1] first row of each expert; last: kept choices
  Matrix<std::int32_t> positions;  // [tokens, k] among the expert's choices; -1 = none or dropped
  Matrix<std::int32_t> rows;       // [tokens, k] offsets[expert] + position; -1 as above
  std::vector<std::int32_t> sources;  // [kept choices] token * k + slot of each row
  Matrix<std::uint8_t>
      first_copies;  // [tokens, k] kFirstOnRank, kFirstOnNode: the token crosses here
  std::vector<std::int32_t> rank_tokens;  // [ranks] distinct tokens with a kept choice there
  std::vector<std::int32_t> node_tokens;  // [nodes]

  bool operator==(const DispatchLayout&) const = default;
};

/// Throws InvalidInput for ids, ranks or sizes out of range.
void check_layout_request(const LayoutRequest& request);

DispatchLayout dispatch_layout(const LayoutRequest& request);

}  // namespace switchyard
