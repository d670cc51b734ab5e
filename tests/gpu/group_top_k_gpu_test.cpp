// The group-limited kernels on real hardware give the emulator's bits.
#include "tests/emulation/routers/group_top_k_runs.hpp"
#include "tests/gpu/gpu_test_support.hpp"

namespace switchyard {
namespace {

class GpuGroupTopK : public testing::TestWithParam<GroupTopKCase> {};

TEST_P(GpuGroupTopK, GivesTheBitsOfTheEmulator) {
  SWITCHYARD_NEEDS_GPU();
  const LogitBuffer logits = make_logits(GetParam().rows);
  expect_identical(emulated_group_top_k(GetParam(), logits),
                   run_group_top_k(current_device(), GetParam(), logits),
                   cuda_device().description);
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         GpuGroupTopK,
                         testing::ValuesIn(group_top_k_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
