#include "kernels/stages/dispatch_layout.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

/// Calls `visit(token, slot)` for every choice in the request's order.
template <typename Visit>
void for_each_choice(const LayoutRequest& request, const Visit& visit) {
  const std::size_t tokens = request.expert_ids.rows();
  const std::size_t slots = request.expert_ids.columns();
  if (request.order == ChoiceOrder::TokenMajor) {
    for (std::size_t token = 0; token < tokens; ++token) {
      for (std::size_t slot = 0; slot < slots; ++slot) {
        visit(token, slot);
      }
    }
    return;
  }
  for (std::size_t slot = 0; slot < slots; ++slot) {
    for (std::size_t token = 0; token < tokens; ++token) {
      visit(token, slot);
    }
  }
}

void assign_positions(const LayoutRequest& request, DispatchLayout& layout) {
  for_each_choice(request, [&](std::size_t token, std::size_t slot) {
    const std::int32_t expert = request.expert_ids(token, slot);
    if (expert == kNoExpert) {
      return;
    }
    const std::int32_t position = layout.load[static_cast<std::size_t>(expert)]++;
    if (position < request.capacity) {
      layout.positions(token, slot) = position;
    }
  });
}

void assign_rows(const LayoutRequest& request, DispatchLayout& layout) {
  for (std::size_t expert = 0; expert < request.experts(); ++expert) {
    const std::int32_t kept = std::min(layout.load[expert], request.capacity);
    layout.offsets[expert + 1] = layout.offsets[expert] + kept;
  }
  layout.sources.resize(static_cast<std::size_t>(layout.offsets.back()));
  const auto positions = layout.positions.values();
  for (std::size_t choice = 0; choice < positions.size(); ++choice) {
    if (positions[choice] >= 0) {
      const auto expert = static_cast<std::size_t>(request.expert_ids.values()[choice]);
      const std::int32_t row = layout.offsets[expert] + positions[choice];
      layout.rows.values()[choice] = row;
      layout.sources[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(choice);
    }
  }
}

/// Remembers for which token each place was last counted.
class FirstVisits {
 public:
  explicit FirstVisits(std::size_t places) : last_token_(places, 0) {}

  bool is_first(std::int32_t place, std::size_t token) {
    auto& last = last_token_[static_cast<std::size_t>(place)];
    const bool is_new = last != token + 1;
    last = token + 1;
    return is_new;
  }

 private:
  std::vector<std::size_t> last_token_;  // 1 + token
};

void count_distinct_tokens(const LayoutRequest& request, DispatchLayout& layout) {
  FirstVisits ranks(layout.rank_tokens.size());
  FirstVisits nodes(layout.node_tokens.size());
  for (std::size_t token = 0; token < layout.positions.rows(); ++token) {
    for (std::size_t slot = 0; slot < layout.positions.columns(); ++slot) {
      if (layout.positions(token, slot) < 0) {
        continue;
      }
      const auto expert = static_cast<std::size_t>(request.expert_ids(token, slot));
      const std::int32_t rank = request.expert_to_rank[expert];
      const std::int32_t node = rank / request.ranks_per_node;
      if (ranks.is_first(rank, token)) {
        layout.first_copies(token, slot) |= kFirstOnRank;
        ++layout.rank_tokens[static_cast<std::size_t>(rank)];
      }
      if (nodes.is_first(node, token)) {
        layout.first_copies(token, slot) |= kFirstOnNode;
        ++layout.node_tokens[static_cast<std::size_t>(node)];
      }
    }
  }
}

}  // namespace

void check_layout_request(const LayoutRequest& request) {
  constexpr auto kMostChoices = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  if (request.ranks < 1 || request.ranks_per_node < 1 || request.capacity < 0) {
    throw InvalidInput(
        "a layout needs at least one rank, one rank per node and no negative capacity");
  }
  if (request.expert_ids.values().size() > kMostChoices) {
    throw InvalidInput("more than 2^31 choices in one layout", {}, "lay out smaller chunks");
  }
  for (const std::int32_t rank : request.expert_to_rank) {
    if (rank < 0 || rank >= request.ranks) {
      throw InvalidInput("an expert lies on rank " + std::to_string(rank) + " of " +
                         std::to_string(request.ranks));
    }
  }
  for (const std::int32_t expert : request.expert_ids.values()) {
    if (expert != kNoExpert &&
        (expert < 0 || static_cast<std::size_t>(expert) >= request.experts())) {
      throw InvalidInput("a token chose expert " + std::to_string(expert) + " of " +
                         std::to_string(request.experts()));
    }
  }
}

DispatchLayout dispatch_layout(const LayoutRequest& request) {
  check_layout_request(request);
  const std::size_t tokens = request.expert_ids.rows();
  const std::size_t slots = request.expert_ids.columns();
  DispatchLayout layout{
      .load = std::vector<std::int32_t>(request.experts()),
      .offsets = std::vector<std::int32_t>(request.experts() + 1),
      .positions = Matrix<std::int32_t>(tokens, slots, -1),
      .rows = Matrix<std::int32_t>(tokens, slots, -1),
      .sources = {},
      .first_copies = Matrix<std::uint8_t>(tokens, slots),
      .rank_tokens = std::vector<std::int32_t>(static_cast<std::size_t>(request.ranks)),
      .node_tokens = std::vector<std::int32_t>(static_cast<std::size_t>(request.nodes()))};
  assign_positions(request, layout);
  assign_rows(request, layout);
  count_distinct_tokens(request, layout);
  return layout;
}

}  // namespace switchyard
