// mma.sync of the PTX machine on programs written by hand: where the elements of a tile lie, and
// what is refused. None of this needs nvcc.
#include "tests/emulation/ptx/ptx_tensor.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/emulation/ptx/ptx_machine.hpp"

namespace switchyard {
namespace {

using testing::HasSubstr;

/// A kernel that reads a lane's operands a, b, c from `words` [32, 10], multiplies, and leaves the
/// result in place of c.
std::string program(const std::string& shape, const std::string& before) {
  return fmt::format(R"(
.version 9.0
.target sm_80
.address_size 64
.visible .entry program(
  .param .u64 program_param_0
)
{{
  .reg .pred %p<9>;
  .reg .b32 %r<20>;
  .reg .b32 %f<9>;
  .reg .b64 %rd<20>;
  ld.param.u64 %rd1, [program_param_0];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd2, %r1, 40;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r2, [%rd3];
  ld.global.u32 %r3, [%rd3+4];
  ld.global.u32 %r4, [%rd3+8];
  ld.global.u32 %r5, [%rd3+12];
  ld.global.u32 %r6, [%rd3+16];
  ld.global.u32 %r7, [%rd3+20];
  ld.global.u32 %f1, [%rd3+24];
  ld.global.u32 %f2, [%rd3+28];
  ld.global.u32 %f3, [%rd3+32];
  ld.global.u32 %f4, [%rd3+36];
  {}
  mma.sync.aligned.{} {{%f1, %f2, %f3, %f4}}, {{%r2, %r3, %r4, %r5}}, {{%r6, %r7}}, {{%f1, %f2, %f3, %f4}};
  st.global.u32 [%rd3+24], %f1;
  st.global.u32 [%rd3+28], %f2;
  st.global.u32 [%rd3+32], %f3;
  st.global.u32 [%rd3+36], %f4;
DONE:
  ret;
}}
)",
                     before,
                     shape);
}

constexpr const char* kShape = "m16n8k16.row.col.f32.bf16.bf16.f32";
constexpr std::size_t kWordsOfLane = 10;

void run(const std::string& text, std::vector<std::uint32_t>& words) {
  const PtxModule module = parse_ptx(text);
  const std::uint32_t* address = words.data();
  std::array<std::byte, sizeof address> arguments{};
  std::memcpy(arguments.data(), &address, sizeof address);
  run_ptx(module.kernel("program"),
          {.shape = {.block = {32}}, .arguments = arguments, .buffers = {PtxBuffer::of(words)}});
}

std::uint32_t pair_of(int low, int high) {
  const auto half = [](int value) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(value)) >> 16;
  };
  return half(low) | half(high) << 16;
}

int a_at(int row, int k) {
  return row * 3 % 7 - k % 5 + 1;
}

int b_at(int k, int column) {
  return k * 2 % 9 - column;
}

TEST(PtxTensor, MultipliesTheTileThatTheRegistersSpell) {
  std::vector<std::uint32_t> words(32 * kWordsOfLane);
  for (int lane = 0; lane < 32; ++lane) {
    std::uint32_t* const own = words.data() + static_cast<std::size_t>(lane) * kWordsOfLane;
    const int group = lane / 4;
    const int k = lane % 4 * 2;
    own[0] = pair_of(a_at(group, k), a_at(group, k + 1));
    own[1] = pair_of(a_at(group + 8, k), a_at(group + 8, k + 1));
    own[2] = pair_of(a_at(group, k + 8), a_at(group, k + 9));
    own[3] = pair_of(a_at(group + 8, k + 8), a_at(group + 8, k + 9));
    own[4] = pair_of(b_at(k, group), b_at(k + 1, group));
    own[5] = pair_of(b_at(k + 8, group), b_at(k + 9, group));
    for (std::size_t item = 0; item < 4; ++item) {
      own[6 + item] = std::bit_cast<std::uint32_t>(100.0F);
    }
  }
  run(program(kShape, ""), words);
  for (int lane = 0; lane < 32; ++lane) {
    for (int item = 0; item < 4; ++item) {
      const int row = lane / 4 + item / 2 * 8;
      const int column = lane % 4 * 2 + item % 2;
      int sum = 100;
      for (int k = 0; k < 16; ++k) {
        sum += a_at(row, k) * b_at(k, column);
      }
      const std::uint32_t word =
          words[static_cast<std::size_t>(lane) * kWordsOfLane + 6 + static_cast<std::size_t>(item)];
      EXPECT_EQ(std::bit_cast<float>(word), static_cast<float>(sum)) << row << ", " << column;
    }
  }
}

template <typename Action>
std::string tensor_error_of(const Action& action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}

TEST(PtxTensor, RefusesOtherShapesAndTypes) {
  std::vector<std::uint32_t> words(32 * kWordsOfLane);
  for (const char* shape : {"m16n8k8.row.col.f32.bf16.bf16.f32",
                            "m16n8k16.row.col.f32.f16.f16.f32",
                            "m16n8k16.col.row.f32.bf16.bf16.f32"}) {
    EXPECT_THAT(tensor_error_of([&] { run(program(shape, ""), words); }),
                HasSubstr("only bfloat16 tiles of 16 x 8 x 16 are known"));
  }
}

TEST(PtxTensor, RefusesAWarpThatIsNotWhole) {
  std::vector<std::uint32_t> words(32 * kWordsOfLane);
  const std::string leaves = "setp.eq.u32 %p1, %r1, 7; @%p1 bra DONE;";
  EXPECT_THAT(tensor_error_of([&] { run(program(kShape, leaves), words); }), HasSubstr("deadlock"));
}

}  // namespace
}  // namespace switchyard
