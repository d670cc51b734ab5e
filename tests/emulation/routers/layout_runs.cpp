#include "tests/emulation/routers/layout_runs.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include <fmt/core.h>

#include "kernels/device/dispatch_layout_on_device.hpp"
#include "tests/emulation/devices/emulated_device.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

std::string LayoutCase::name() const {
  return fmt::format("t{}_k{}_e{}_r{}x{}_c{}_{}",
                     tokens,
                     slots,
                     experts,
                     ranks,
                     ranks_per_node,
                     capacity,
                     order == ChoiceOrder::TokenMajor ? "token_major" : "slot_major");
}

std::vector<LayoutCase> layout_cases() {
  std::vector<LayoutCase> cases;
  for (const ChoiceOrder order : {ChoiceOrder::TokenMajor, ChoiceOrder::SlotMajor}) {
    for (const LayoutCase& shape : {LayoutCase{1, 1, 1},
                                    LayoutCase{31, 2, 8, 8, 8},
                                    LayoutCase{32, 6, 64, 8, 4, 2},
                                    LayoutCase{33, 8, 60, 12, 5, 1 << 30},
                                    LayoutCase{300, 8, 256, 32, 8, 11},
                                    LayoutCase{257, 3, 100, 25, 8, 0},
                                    LayoutCase{130, 10, 512, 64, 8, 4},
                                    LayoutCase{70, 32, 1024, 1024, 8, 3},
                                    LayoutCase{67, 7, 33, 3, 2, 9}}) {
      cases.push_back(shape);
      cases.back().order = order;
    }
  }
  return cases;
}

LayoutInput::LayoutInput(const LayoutCase& shape)
    : test(shape),
      expert_ids(static_cast<std::size_t>(shape.tokens), static_cast<std::size_t>(shape.slots)) {
  std::mt19937_64 random(static_cast<std::uint64_t>(shape.tokens * 131 + shape.experts));
  const auto experts = static_cast<std::uint64_t>(shape.experts);
  for (std::size_t token = 0; token < expert_ids.rows(); ++token) {
    const auto choices = expert_ids.row(token);
    for (std::size_t slot = 0; slot < choices.size(); ++slot) {
      // The lower of two draws makes low experts hot; a duplicate becomes a missing choice.
      const auto expert =
          static_cast<std::int32_t>(std::min(random() % experts, random() % experts));
      const bool is_duplicate =
          std::find(choices.begin(), choices.begin() + static_cast<std::ptrdiff_t>(slot), expert) !=
          choices.begin() + static_cast<std::ptrdiff_t>(slot);
      choices[slot] = is_duplicate || random() % 16 == 0 ? kNoExpert : expert;
    }
  }
  for (std::int32_t expert = 0; expert < shape.experts; ++expert) {
    expert_to_rank.push_back(expert * 7 % shape.ranks);
  }
}

LayoutRequest LayoutInput::request() const {
  return {.expert_ids = expert_ids.view(),
          .expert_to_rank = expert_to_rank,
          .ranks = test.ranks,
          .ranks_per_node = test.ranks_per_node,
          .capacity = test.capacity,
          .order = test.order};
}

DispatchLayout emulated_layout(const LayoutInput& input, const LayoutRunOptions& options) {
  EmulatedDevice device({.schedule_seed = options.schedule_seed});
  const DeviceStandIn stand_in(device);
  return dispatch_layout_on_device(input.request(), options.chunk_tokens);
}

}  // namespace switchyard
