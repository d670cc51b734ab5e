// The emulator is an instrument, so it is tested mostly by kernels that are wrong on purpose.
#include "tests/emulation/simt/simt_engine.hpp"

#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/emulation/simt/cuda_vocabulary.hpp"

namespace switchyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr unsigned kAllLanes = 0xFFFFFFFFU;

/// The message of the SimtError that `body` raises on one block of `threads` threads.
std::string error_of(unsigned threads, const std::function<void()>& body) {
  try {
    simt_launch({.block = {threads}}, body);
  } catch (const SimtError& error) {
    return error.what();
  }
  return "no error";
}

TEST(SimtEngine, NumbersBlocksAndThreadsInThreeDimensions) {
  std::vector<int> visits(2 * 3 * 4 * 5);
  simt_launch({.grid = {2, 3}, .block = {4, 1, 5}}, [&] {
    const unsigned block = blockIdx.y * gridDim.x + blockIdx.x;
    const unsigned thread = threadIdx.z * blockDim.x + threadIdx.x;
    ++visits[block * 20 + thread];
  });
  EXPECT_EQ(visits, std::vector<int>(visits.size(), 1));
}

TEST(SimtEngine, RejectsALaunchWithoutThreadsOrWithTooMany) {
  EXPECT_THAT(error_of(0, [] {}), HasSubstr("invalid launch"));
  EXPECT_THAT(error_of(1025, [] {}), HasSubstr("invalid launch"));
}

TEST(SimtEngine, ShufflesMoveValuesBetweenLanes) {
  std::vector<unsigned> from_index(32), from_up(32), from_down(32), from_xor(32);
  simt_launch({.block = {32}}, [&] {
    const unsigned lane = threadIdx.x;
    from_index[lane] = __shfl_sync(kAllLanes, lane, 5);
    from_up[lane] = __shfl_up_sync(kAllLanes, lane, 3, 16);
    from_down[lane] = __shfl_down_sync(kAllLanes, lane, 1, 8);
    from_xor[lane] = __shfl_xor_sync(kAllLanes, lane, 31);
  });
  EXPECT_EQ(from_index[31], 5U);
  EXPECT_EQ(from_up[2], 2U);
  EXPECT_EQ(from_up[18], 18U);
  EXPECT_EQ(from_up[19], 16U);
  EXPECT_EQ(from_down[7], 7U);
  EXPECT_EQ(from_down[8], 9U);
  EXPECT_EQ(from_xor[0], 31U);
}

TEST(SimtEngine, VotesMatchesAndReductionsCoverExactlyTheMask) {
  std::vector<unsigned> ballot(32), peers(32), most(32), sum(32);
  simt_launch({.block = {32}}, [&] {
    const unsigned lane = threadIdx.x;
    const unsigned half = lane < 16 ? 0x0000FFFFU : 0xFFFF0000U;
    ballot[lane] = __ballot_sync(half, lane % 2 == 0);
    peers[lane] = __match_any_sync(half, lane % 4);
    most[lane] = __reduce_max_sync(half, lane);
    sum[lane] = __reduce_add_sync(half, lane);
  });
  EXPECT_EQ(ballot[3], 0x00005555U);
  EXPECT_EQ(peers[17], 0x22220000U);
  EXPECT_EQ(most[0], 15U);
  EXPECT_EQ(most[31], 31U);
  EXPECT_EQ(sum[15], 120U);
  EXPECT_EQ(sum[16], 376U);
}

TEST(SimtEngine, ReportsLanesThatMeetInDifferentCollectives) {
  const std::string error = error_of(32, [] {
    if (threadIdx.x < 16) {
      __shfl_sync(kAllLanes, 1, 0);
    } else {
      __shfl_xor_sync(kAllLanes, 1, 1);
    }
  });
  EXPECT_THAT(error, AllOf(HasSubstr("different collectives"), HasSubstr("simt_engine_test.cpp:")));
}

TEST(SimtEngine, ReportsLanesThatNeverArrive) {
  const std::string error = error_of(32, [] {
    if (threadIdx.x < 16) {
      __syncwarp();
    }
  });
  EXPECT_THAT(error, AllOf(HasSubstr("deadlock: 16 threads exited"), HasSubstr("warp collective")));
}

TEST(SimtEngine, ReportsAThreadThatWaitsBesideTheBarrierOfTheOthers) {
  const std::string error = error_of(64, [] {
    if (threadIdx.x == 0) {
      __syncwarp();
    } else {
      __syncthreads();
    }
  });
  EXPECT_THAT(error, AllOf(HasSubstr("deadlock"), HasSubstr("block barrier")));
}

TEST(SimtEngine, ReportsWrongMasks) {
  EXPECT_THAT(error_of(32, [] { __syncwarp(1U); }), HasSubstr("not in its own mask"));
  EXPECT_THAT(error_of(16, [] { __syncwarp(); }), HasSubstr("beyond the block"));
  EXPECT_THAT(error_of(32, [] { __syncwarp(threadIdx.x == 0 ? 0x3U : 0x6U); }),
              HasSubstr("overlapping but different masks"));
  EXPECT_THAT(error_of(32,
                       [] {
                         if (threadIdx.x < 16) {
                           __shfl_sync(0x0000FFFFU, 1, 20);
                         }
                       }),
              HasSubstr("outside the mask"));
}

struct TwoWarps {
  int values[64];
};

/// Reverses 64 values through shared memory, with or without the barrier that this needs.
std::vector<int> reversed_through_shared(bool has_barrier, std::uint64_t seed) {
  std::vector<int> out(64);
  simt_launch({.block = {64}, .schedule_seed = seed}, [&] {
    SWITCHYARD_SHARED(TwoWarps, exchange);
    const int thread = static_cast<int>(threadIdx.x);
    exchange.values[thread] = thread;
    if (has_barrier) {
      __syncthreads();
    }
    out[threadIdx.x] = exchange.values[63 - thread];
  });
  return out;
}

TEST(SimtEngine, ScheduleFuzzingExposesAMissingBarrier) {
  std::vector<int> expected(64);
  std::iota(expected.rbegin(), expected.rend(), 0);
  for (std::uint64_t seed = 0; seed <= 8; ++seed) {
    EXPECT_EQ(reversed_through_shared(true, seed), expected) << "seed " << seed;
    EXPECT_NE(reversed_through_shared(false, seed), expected) << "seed " << seed;
  }
}

TEST(SimtEngine, TheSameSeedGivesTheSameSchedule) {
  EXPECT_EQ(reversed_through_shared(false, 3), reversed_through_shared(false, 3));
  EXPECT_NE(reversed_through_shared(false, 3), reversed_through_shared(false, 4));
}

TEST(SimtEngine, PoisonsSharedMemoryAndNoticesWritesBeyondIt) {
  int first_value = 0;
  simt_launch({.block = {1}}, [&] {
    SWITCHYARD_SHARED(TwoWarps, fresh);
    first_value = fresh.values[0];
  });
  EXPECT_EQ(static_cast<unsigned>(first_value), 0xA5A5A5A5U);
  const auto overrun = [] {
    SWITCHYARD_SHARED(TwoWarps, small);
    int* const beyond = small.values + 64;
    *static_cast<volatile int*>(beyond) = 0;
  };
  EXPECT_THAT(error_of(1, overrun), HasSubstr("beyond the end of shared small"));
}

struct TooLarge {
  char bytes[228 * 1024];
};

TEST(SimtEngine, LimitsSharedMemoryToWhatABlockCanHave) {
  const auto greedy = [] {
    SWITCHYARD_SHARED(TooLarge, hoard);
    hoard.bytes[0] = 0;
  };
  EXPECT_THAT(error_of(1, greedy), HasSubstr("shared memory over"));
}

TEST(SimtEngine, DeviceCodeOutsideALaunchIsAnError) {
  EXPECT_THROW(__syncthreads(), SimtError);
}

}  // namespace
}  // namespace switchyard
