// The group-limited kernels on real hardware give the emulator's bits.
#include "tests/emulation/routers/group_top_k_runs.hpp"
#include "tests/gpu/gpu_test_support.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/device_memory.hpp"
#endif

namespace switchyard {
namespace {

#if defined(SWITCHYARD_HAS_CUDA)

TopKResult gpu_group_top_k(const GroupTopKCase& test, const LogitBuffer& logits) {
  const TopKShape& shape = test.rows.shape;
  const GroupTopKPlan plan = plan_group_top_k(shape, test.groups, cuda_device().multiprocessors);
  const auto count = static_cast<std::size_t>(shape.tokens) * static_cast<std::size_t>(shape.slots);
  const std::vector<float> bias = make_bias(test);
  DeviceMemory rows(logits.words.size() * sizeof(std::uint32_t));
  DeviceMemory biases(bias.size() * sizeof(float));
  const DeviceMemory ids(count * sizeof(std::int32_t));
  const DeviceMemory weights(count * sizeof(float));
  rows.upload(logits.address());
  biases.upload(bias.data());
  GroupTopKArguments arguments;
  arguments.logits = rows.address();
  arguments.bias = static_cast<const float*>(biases.address());
  arguments.expert_ids = static_cast<std::int32_t*>(ids.address());
  arguments.gate_weights = static_cast<float*>(weights.address());
  arguments.tokens = shape.tokens;
  arguments.experts = shape.experts;
  arguments.slots = shape.slots;
  arguments.groups = test.groups;
  arguments.kept_groups = test.kept_groups;
  arguments.tokens_per_warp = plan.tokens_per_warp;
  arguments.scale = test.rows.scale;
  arguments.has_vector_rows = plan.has_full_lanes && has_vector_rows(rows.address(), shape);
  arguments.sums_best_two = test.sums_best_two;
  arguments.is_renormalised = test.rows.is_renormalised;
  launch_group_top_k(shape.logit_type, plan, arguments);
  TopKResult result{.expert_ids = std::vector<std::int32_t>(count),
                    .gate_weights = std::vector<float>(count)};
  ids.download(result.expert_ids.data());
  weights.download(result.gate_weights.data());
  return result;
}

#else

// Never called: every test skips itself first.
TopKResult gpu_group_top_k(const GroupTopKCase& /*test*/, const LogitBuffer& /*logits*/) {
  return {};
}

#endif

class GpuGroupTopK : public testing::TestWithParam<GroupTopKCase> {};

TEST_P(GpuGroupTopK, GivesTheBitsOfTheEmulator) {
  SWITCHYARD_NEEDS_GPU();
  const LogitBuffer logits = make_logits(GetParam().rows);
  expect_identical(emulated_group_top_k(GetParam(), logits),
                   gpu_group_top_k(GetParam(), logits),
                   cuda_device().description);
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         GpuGroupTopK,
                         testing::ValuesIn(group_top_k_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
