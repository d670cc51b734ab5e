// Dispatch layout: the CPU against its definition by counting, the kernels against the CPU.
#include <set>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "kernels/device/dispatch_layout_on_device.hpp"
#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/emulation/routers/layout_runs.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

class Layout : public testing::TestWithParam<LayoutCase> {};

/// Choices of the same expert that come earlier in the order, found by looking at all of them.
std::int32_t earlier_choices(const LayoutInput& input, std::size_t token, std::size_t slot) {
  std::int32_t earlier = 0;
  const auto& ids = input.expert_ids;
  for (std::size_t other = 0; other < ids.rows(); ++other) {
    for (std::size_t other_slot = 0; other_slot < ids.columns(); ++other_slot) {
      const bool is_earlier = input.test.order == ChoiceOrder::TokenMajor
                                  ? std::pair(other, other_slot) < std::pair(token, slot)
                                  : std::pair(other_slot, other) < std::pair(slot, token);
      earlier += is_earlier && ids(other, other_slot) == ids(token, slot) ? 1 : 0;
    }
  }
  return earlier;
}

TEST_P(Layout, OnTheCpuFollowsItsDefinition) {
  const LayoutInput input(GetParam());
  const DispatchLayout layout = dispatch_layout(input.request());
  std::vector<std::set<std::size_t>> tokens_of_rank(layout.rank_tokens.size());
  std::vector<std::set<std::size_t>> tokens_of_node(layout.node_tokens.size());
  std::int32_t kept = 0;
  for (std::size_t token = 0; token < input.expert_ids.rows(); ++token) {
    for (std::size_t slot = 0; slot < input.expert_ids.columns(); ++slot) {
      const std::int32_t expert = input.expert_ids(token, slot);
      const std::int32_t position = expert == kNoExpert ? -1 : earlier_choices(input, token, slot);
      if (position < 0 || position >= GetParam().capacity) {
        EXPECT_EQ(layout.positions(token, slot), -1);
        EXPECT_EQ(layout.rows(token, slot), -1);
        EXPECT_EQ(layout.first_copies(token, slot), 0);
        continue;
      }
      ++kept;
      EXPECT_EQ(layout.positions(token, slot), position);
      const auto at = static_cast<std::size_t>(expert);
      EXPECT_EQ(layout.rows(token, slot), layout.offsets[at] + position);
      EXPECT_EQ(layout.sources[static_cast<std::size_t>(layout.rows(token, slot))],
                static_cast<std::int32_t>(token * input.expert_ids.columns() + slot));
      const auto rank = static_cast<std::size_t>(input.expert_to_rank[at]);
      const std::size_t node = rank / static_cast<std::size_t>(GetParam().ranks_per_node);
      EXPECT_EQ((layout.first_copies(token, slot) & kFirstOnRank) != 0,
                tokens_of_rank[rank].insert(token).second);
      EXPECT_EQ((layout.first_copies(token, slot) & kFirstOnNode) != 0,
                tokens_of_node[node].insert(token).second);
    }
  }
  EXPECT_EQ(layout.offsets.back(), kept);
  for (std::size_t rank = 0; rank < tokens_of_rank.size(); ++rank) {
    EXPECT_EQ(static_cast<std::size_t>(layout.rank_tokens[rank]), tokens_of_rank[rank].size());
  }
  for (std::size_t node = 0; node < tokens_of_node.size(); ++node) {
    EXPECT_EQ(static_cast<std::size_t>(layout.node_tokens[node]), tokens_of_node[node].size());
  }
}

TEST_P(Layout, OfTheKernelsIsTheCpusUnderAnyScheduleAndPlan) {
  const LayoutInput input(GetParam());
  const DispatchLayout expected = dispatch_layout(input.request());
  EXPECT_EQ(emulated_layout(input), expected);
  EXPECT_EQ(emulated_layout(input, {.chunk_tokens = 64, .schedule_seed = 5}), expected);
  EXPECT_EQ(emulated_layout(input, {.chunk_tokens = 7, .schedule_seed = 6}), expected);
  EXPECT_EQ(emulated_layout(input, {.chunk_tokens = 1000}), expected);
}

TEST_P(Layout, OfTheCompiledKernelsIsTheCpus) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const LayoutInput input(GetParam());
  const DispatchLayout expected = dispatch_layout(input.request());
  for (const CompiledKernels& compiled : compiled_kernels()) {
    PtxDevice device(compiled.module);
    const DeviceStandIn stand_in(device);
    EXPECT_EQ(dispatch_layout_on_device(input.request()), expected) << compiled.module.target;
  }
}

INSTANTIATE_TEST_SUITE_P(AllCases, Layout, testing::ValuesIn(layout_cases()), [](const auto& test) {
  return test.param.name();
});

TEST(LayoutRequest, IsRefusedWhenItDoesNotFit) {
  const Matrix<std::int32_t> ids(1, 1, 3);
  const std::vector<std::int32_t> ranks{0, 1, 1};
  LayoutRequest request{.expert_ids = ids.view(), .expert_to_rank = ranks, .ranks = 2};
  EXPECT_THROW(dispatch_layout(request), InvalidInput);  // expert 3 of 3
  const Matrix<std::int32_t> good(1, 1, 2);
  request.expert_ids = good.view();
  EXPECT_NO_THROW(dispatch_layout(request));
  request.ranks = 1;
  EXPECT_THROW(dispatch_layout(request), InvalidInput);  // an expert on rank 1 of 1
  request.ranks = 2;
  request.capacity = -1;
  EXPECT_THROW(dispatch_layout(request), InvalidInput);
}

TEST(LayoutRequest, OfNoTokensCountsNothing) {
  const Matrix<std::int32_t> none(0, 4);
  const std::vector<std::int32_t> ranks{0, 1};
  const DispatchLayout layout =
      dispatch_layout({.expert_ids = none.view(), .expert_to_rank = ranks, .ranks = 2});
  EXPECT_EQ(layout.load, (std::vector<std::int32_t>{0, 0}));
  EXPECT_EQ(layout.offsets, (std::vector<std::int32_t>{0, 0, 0}));
  EXPECT_TRUE(layout.sources.empty());
}

}  // namespace
}  // namespace switchyard
