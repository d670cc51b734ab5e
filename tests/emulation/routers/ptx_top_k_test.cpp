// The PTX that nvcc emitted gives, for every architecture of the build, the emulator's bits.
#include "tests/emulation/routers/ptx_top_k.hpp"

#include <gtest/gtest.h>

#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/emulation/routers/emulated_top_k.hpp"

namespace switchyard {
namespace {

class CompiledTopK : public testing::TestWithParam<TopKCase> {};

TEST_P(CompiledTopK, GivesTheBitsOfTheEmulator) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const LogitBuffer logits = make_logits(GetParam());
  const TopKResult expected = emulated_top_k(GetParam(), logits);
  for (const CompiledKernels& compiled : compiled_kernels()) {
    const PtxTopKRun run = ptx_top_k(compiled.module, GetParam(), logits);
    expect_identical(expected, run.result, compiled.module.target);
  }
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         CompiledTopK,
                         testing::ValuesIn(top_k_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
