// The PTX machine on small programs written by hand: what instructions compute, what the counters
// count, and above all what must be refused. None of this needs nvcc.
#include "tests/emulation/ptx/ptx_machine.hpp"

#include <array>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using testing::HasSubstr;

constexpr unsigned kMessageLength = 200;

/// A module with one kernel `program(u32* out)`; `%rd1` holds out, `%r1` the thread.
std::string program(const std::string& body, const std::string& declarations = "") {
  return fmt::format(R"(
.version 9.0
.target sm_80
.address_size 64
.visible .entry program(
  .param .u64 program_param_0
)
.maxntid 128, 1, 1
{{
  .reg .pred %p<9>;
  .reg .b32 %r<20>;
  .reg .b64 %rd<20>;
  {}
  ld.param.u64 %rd1, [program_param_0];  // comments vanish
  cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r1, %tid.x;
  {}
  ret;
}}
)",
                     declarations,
                     body);
}

struct Outcome {
  std::vector<std::uint32_t> out;
  PtxCounters counters;
};

struct Setting {
  unsigned threads = 32;
  std::uint64_t seed = 0;
  std::size_t words = 128;
};

Outcome run(const std::string& text, const Setting& setting = {}) {
  const PtxModule module = parse_ptx(text);
  Outcome outcome;
  outcome.out.assign(setting.words, 0);
  const std::uint32_t* address = outcome.out.data();
  std::array<std::byte, sizeof address> arguments{};
  std::memcpy(arguments.data(), &address, sizeof address);
  outcome.counters = run_ptx(module.kernel("program"),
                             {.shape = {.block = {setting.threads}, .schedule_seed = setting.seed},
                              .arguments = arguments,
                              .buffers = {PtxBuffer::of(outcome.out)}});
  return outcome;
}

template <typename Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return std::string(error.what()).substr(0, kMessageLength);
  }
  return "no error";
}

struct Computation {
  const char* body;  // leaves its result in %r9
  std::uint32_t expected;

  friend void PrintTo(const Computation& test, std::ostream* out) { *out << test.body; }
};

class PtxArithmetic : public testing::TestWithParam<Computation> {};

TEST_P(PtxArithmetic, FollowsThePtxIsa) {
  const std::string store = " st.global.u32 [%rd1], %r9;";
  const Outcome outcome = run(program(GetParam().body + store), {.threads = 1});
  EXPECT_EQ(outcome.out[0], GetParam().expected) << GetParam().body;
}

INSTANTIATE_TEST_SUITE_P(
    Instructions,
    PtxArithmetic,
    testing::Values(Computation{"add.s32 %r9, 5, -7;", 0xFFFFFFFEU},
                    Computation{"mul.lo.s32 %r9, -3, 7;", 0xFFFFFFEBU},
                    Computation{"mul.hi.u32 %r9, -1, 16;", 15},
                    Computation{
                        "mov.u32 %r2, -2; mul.wide.s32 %rd2, %r2, 3; shr.s64 %rd3, %rd2, 1; "
                        "cvt.u32.u64 %r9, %rd3;",
                        0xFFFFFFFDU},
                    Computation{"mad.lo.s32 %r9, 6, 7, -2;", 40},
                    Computation{"div.s32 %r9, -7, 2;", 0xFFFFFFFDU},
                    Computation{"sqrt.rn.f32 %r9, 0f40000000;", 0x3FB504F3U},
                    Computation{"sqrt.rn.f32 %r9, 0f80000000;", 0x80000000U},
                    Computation{"rem.u32 %r9, 17, 5;", 2},
                    Computation{"min.s32 %r9, -1, 1;", 0xFFFFFFFFU},
                    Computation{"min.u32 %r9, -1, 1;", 1},
                    Computation{"shl.b32 %r9, 1, 32;", 0},
                    Computation{"shr.s32 %r9, -8, 40;", 0xFFFFFFFFU},
                    Computation{"shr.u32 %r9, -8, 28;", 15},
                    Computation{"shf.l.wrap.b32 %r9, 0x80000000, 1, 4;", 0x18},
                    Computation{"bfi.b32 %r9, 0xFF, 0, 8, 4;", 0xF00},
                    Computation{"bfe.u32 %r9, 0xABCD, 4, 8;", 0xBC},
                    Computation{"prmt.b32 %r9, 0x44332211, 0x88776655, 0xBB70;", 0x00008811},
                    Computation{"lop3.b32 %r9, 12, 10, 1, 0x96;", 7},
                    Computation{"popc.b32 %r9, 0xF0F;", 8},
                    Computation{"clz.b32 %r9, 0xFF;", 24},
                    Computation{"brev.b32 %r9, 1;", 0x80000000U},
                    Computation{"mov.u32 %r2, 4; mov.u32 %r3, 5; mov.b64 %rd2, {%r2, %r3}; shr.u64 "
                                "%rd2, %rd2, 32; cvt.u32.u64 %r9, %rd2;",
                                5}));

INSTANTIATE_TEST_SUITE_P(
    Floats,
    PtxArithmetic,
    testing::Values(
        // (1 + 2^-12)^2 - 1 needs the bits that a rounded product would lose.
        Computation{"fma.rn.f32 %r9, 0f3F800800, 0f3F800800, 0fBF800000;", 0x3A000400U},
        Computation{"max.f32 %r9, 0f7FC00000, 0fFF800000;", 0xFF800000U},
        Computation{"max.f32 %r9, 0f80000000, 0f00000000;", 0},
        Computation{"div.rn.f32 %r9, 0f3F800000, 0f40400000;", 0x3EAAAAABU},
        Computation{"cvt.rn.f32.s32 %r9, -3;", 0xC0400000U},
        Computation{"cvt.rni.s32.f32 %r9, 0f40200000;", 2},
        Computation{"setp.ltu.f32 %p1, 0f7FC00000, 0f00000000; selp.u32 %r9, 1, 0, %p1;", 1},
        Computation{"setp.lt.f32 %p1|%p2, 0f7FC00000, 0f00000000; selp.u32 %r9, 1, 0, %p2;", 1},
        Computation{"mov.pred %p1, -1; not.pred %p2, %p1; selp.u32 %r9, 1, 0, %p2;", 0},
        Computation{"mov.pred %p1, -1; xor.pred %p2, %p1, -1; selp.u32 %r9, 1, 0, %p2;", 0},
        Computation{"max.bf16x2 %r9, 0x7FC08000, 0xFF80FF80;", 0xFF808000U},
        Computation{"fma.rn.bf16x2 %r9, 0xFF808000, 0x3F803F80, 0;", 0xFF800000U},
        Computation{"fma.rn.bf16x2 %r9, 0x3F810001, 0x3F813F80, 0x80000000;", 0x3F820001U},
        Computation{"fma.rn.f16x2 %r9, 0x04003C01, 0x38003C00, 0x00008000;", 0x02003C01U},
        Computation{"fma.rn.f16x2 %r9, 0x7BFF7E01, 0x40003C00, 0;", 0x7C007FFFU}));

TEST(PtxMachine, RunsBranchesLoopsAndPredicates) {
  const Outcome outcome = run(program(R"(
    mov.u32 %r2, 0;
    mov.u32 %r3, 0;
  loop:
    setp.ge.u32 %p1, %r3, %r1;
    @%p1 bra done;
    add.s32 %r2, %r2, %r3;
    add.s32 %r3, %r3, 1;
    bra.uni loop;
  done:
    mad.wide.u32 %rd2, %r1, 4, %rd1;
    @!%p1 st.global.u32 [%rd2], 99;
    st.global.u32 [%rd2], %r2;)"));
  for (std::uint32_t thread = 0; thread < 32; ++thread) {
    EXPECT_EQ(outcome.out[thread], thread * (thread - 1) / 2) << thread;
  }
  // 3 before, 2 + 2, then 5 an iteration of the longest lane, its 2 last, and 4 behind the loop.
  EXPECT_EQ(outcome.counters.warp_instructions, 3U + 2U + 31U * 5U + 2U + 4U);
}

TEST(PtxMachine, CountsSectorsAndBankConflicts) {
  const auto load_with_stride = [](int stride) {
    const std::string body =
        fmt::format("mad.wide.u32 %rd2, %r1, {}, %rd1; ld.global.u32 %r2, [%rd2];", 4 * stride);
    return run(program(body), {.words = 1024}).counters;
  };
  EXPECT_LE(load_with_stride(1).load_sectors, 5U);  // 128 bytes at any alignment
  EXPECT_EQ(load_with_stride(8).load_sectors, 32U);
  EXPECT_EQ(load_with_stride(0).load_sectors, 1U);
  const auto shared_with_stride = [](int stride, const std::string& operation) {
    const std::string body = fmt::format("mul.lo.u32 %r2, %r1, {}; {}", 4 * stride, operation);
    return run(program(body, ".shared .align 4 .b8 room[4096];")).counters.shared_wavefronts;
  };
  const std::string load = "ld.shared.u32 %r3, [%r2];";
  EXPECT_EQ(shared_with_stride(1, load + "mov.u32 %r4, room;"), 1U);
  EXPECT_EQ(shared_with_stride(2, load), 2U);
  EXPECT_EQ(shared_with_stride(32, load), 32U);
  EXPECT_EQ(shared_with_stride(0, load), 1U);
  EXPECT_EQ(shared_with_stride(0, "red.shared.add.u32 [%r2], 1;"), 32U);
}

/// Each thread hands its number to its mirror image through shared memory.
std::string mirror(bool has_barrier) {
  return program(fmt::format(R"(
    mov.u32 %r2, room;
    mad.lo.u32 %r3, %r1, 4, %r2;
    st.shared.u32 [%r3], %r1;
    {}
    sub.u32 %r4, 252, 0;
    mul.lo.u32 %r5, %r1, 4;
    sub.u32 %r4, %r4, %r5;
    add.u32 %r4, %r4, %r2;
    ld.shared.u32 %r6, [%r4];
    mad.wide.u32 %rd2, %r1, 4, %rd1;
    st.global.u32 [%rd2], %r6;)",
                             has_barrier ? "bar.sync 0;" : ""),
                 ".shared .align 4 .b8 room[256];");
}

TEST(PtxMachine, ScheduleFuzzingExposesAMissingBarrier) {
  std::vector<std::uint32_t> expected(64);
  std::iota(expected.rbegin(), expected.rend(), 0U);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Setting setting{.threads = 64, .seed = seed, .words = 64};
    EXPECT_EQ(run(mirror(true), setting).out, expected) << seed;
    EXPECT_NE(run(mirror(false), setting).out, expected) << seed;
  }
}

TEST(PtxMachine, RefusesAccessesOutsideItsMemory) {
  const auto error_in = [](const std::string& body) {
    return error_of([&] { run(program(body, ".shared .align 4 .b8 room[64];")); });
  };
  EXPECT_THAT(error_in("st.global.u32 [%rd1+512], %r1;"), HasSubstr("global access out of bounds"));
  EXPECT_THAT(error_in("ld.global.u32 %r2, [%rd1+-4];"), HasSubstr("global access out of bounds"));
  EXPECT_THAT(error_in("ld.global.u32 %r2, [%rd1+2];"), HasSubstr("misaligned access"));
  EXPECT_THAT(error_in("ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd1+4];"),
              HasSubstr("misaligned access"));
  EXPECT_THAT(error_in("mov.u32 %r2, room; ld.shared.u32 %r3, [%r2+64];"),
              HasSubstr("shared access out of bounds"));
  EXPECT_THAT(error_in("ld.param.u32 %r2, [program_param_0+8];"),
              HasSubstr("parameter access out of bounds"));
}

TEST(PtxMachine, RefusesWarpsThatMisuseCollectives) {
  const auto error_in = [](const std::string& body) {
    return error_of([&] { run(program(body)); });
  };
  EXPECT_THAT(error_in("setp.lt.u32 %p1, %r1, 16; @%p1 bra skip; "
                       "redux.sync.max.u32 %r2, %r1, -1; skip:"),
              HasSubstr("deadlock"));
  EXPECT_THAT(error_in("redux.sync.max.u32 %r2, -1, 1;"), HasSubstr("not in its own mask"));
  EXPECT_THAT(error_in("bar.sync 1;"), HasSubstr("only whole-block barriers"));
}

TEST(PtxMachine, RefusesWhatItDoesNotKnow) {
  const auto error_in = [](const std::string& body) {
    return error_of([&] { run(program(body)); });
  };
  EXPECT_THAT(error_in("wgmma.fence.sync.aligned;"), HasSubstr("unknown instruction"));
  EXPECT_THAT(error_in("add.f64 %rd2, %rd3, %rd4;"), HasSubstr("not known"));
  EXPECT_THAT(error_in("bra nowhere;"), HasSubstr("no such label"));
  EXPECT_THAT(error_in("mov.u32 %r2, 0f3FZ;"), HasSubstr("not a number"));
  EXPECT_THAT(error_in("mov.b64 %rd2, {1, 2};"), HasSubstr("not a register"));
  EXPECT_THAT(error_in("div.u32 %r2, 1, 0;"), HasSubstr("division by zero"));
  EXPECT_THAT(error_in(".local .align 4 .b8 spill[4];"), HasSubstr("must not spill"));
  EXPECT_THAT(error_of([] { parse_ptx(".visible .entry cut() { mov.u32"); }),
              HasSubstr("ends inside"));
  EXPECT_THAT(error_of([] { run(".visible .entry other() { ret; }"); }),
              HasSubstr("no kernel is called"));
}

}  // namespace
}  // namespace switchyard
