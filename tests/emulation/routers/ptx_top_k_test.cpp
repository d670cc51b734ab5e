// The PTX that nvcc emitted gives, for every architecture of the build, the emulator's bits.
#include <gtest/gtest.h>

#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/emulation/routers/top_k_runs.hpp"

namespace switchyard {
namespace {

class CompiledTopK : public testing::TestWithParam<TopKCase> {};

TEST_P(CompiledTopK, GivesTheBitsOfTheEmulator) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const LogitBuffer logits = make_logits(GetParam());
  const TopKResult expected = emulated_top_k(GetParam(), logits);
  for (const CompiledKernels& compiled : compiled_kernels()) {
    PtxDevice device(compiled.module);
    expect_identical(expected, run_top_k(device, GetParam(), logits), compiled.module.target);
  }
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         CompiledTopK,
                         testing::ValuesIn(top_k_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
