// What the lanes of a completed meeting get back, as the CUDA C++ guide (warp functions) and the
// PTX ISA (shfl, vote, match, redux) define it.
#include <bit>

#include "tests/emulation/simt/simt_engine.hpp"

namespace switchyard {
namespace {

template <typename Visitor>
void for_each_lane(std::uint32_t mask, Visitor&& visit) {
  for (std::uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
    visit(static_cast<std::uint32_t>(std::countr_zero(lanes)));
  }
}

/// The lane a shuffle reads; a lane outside the segment means "keep your own value".
int shuffle_source(const WarpRequest& request, int lane) {
  switch (request.operation) {
    case WarpOperation::ShuffleUp:
      return lane - request.argument;
    case WarpOperation::ShuffleDown:
      return lane + request.argument;
    case WarpOperation::ShuffleXor:
      return lane ^ request.argument;
    default:
      return (lane & ~(request.width - 1)) + (request.argument & (request.width - 1));
  }
}

std::uint32_t combine(WarpOperation operation, std::uint32_t a, std::uint32_t b) {
  const auto signed_a = static_cast<std::int32_t>(a);
  const auto signed_b = static_cast<std::int32_t>(b);
  switch (operation) {
    case WarpOperation::MaximumUnsigned:
      return a > b ? a : b;
    case WarpOperation::MinimumUnsigned:
      return a < b ? a : b;
    case WarpOperation::MaximumSigned:
      return signed_a > signed_b ? a : b;
    case WarpOperation::MinimumSigned:
      return signed_a < signed_b ? a : b;
    case WarpOperation::Add:
      return a + b;
    case WarpOperation::And:
      return a & b;
    case WarpOperation::Or:
      return a | b;
    case WarpOperation::Xor:
      return a ^ b;
    default:
      throw SimtError("not a reduction");
  }
}

}  // namespace

void SimtEngine::answer_shuffle(std::uint32_t mask, std::uint32_t first_thread) {
  for_each_lane(mask, [&](std::uint32_t lane) {
    Thread& self = threads_[first_thread + lane];
    const int own = static_cast<int>(lane);
    const int segment = own & ~(self.request.width - 1);
    int source = shuffle_source(self.request, own);
    // Up stops at the segment's first lane; the others may read earlier segments, never later ones.
    const bool is_up = self.request.operation == WarpOperation::ShuffleUp;
    self.reply.is_in_range = is_up ? source >= segment : source < segment + self.request.width;
    source = self.reply.is_in_range ? source : own;
    if ((mask >> source & 1U) == 0) {
      fail("shuffle reads a lane outside the mask", first_thread + lane, self.place);
    }
    self.reply.value = threads_[first_thread + static_cast<unsigned>(source)].request.value;
  });
}

void SimtEngine::answer(const Meeting& meeting, std::uint32_t first_thread) {
  const auto request_of = [&](std::uint32_t lane) -> const WarpRequest& {
    return threads_[first_thread + lane].request;
  };
  const auto reply_to = [&](std::uint32_t lane, std::uint64_t value) {
    threads_[first_thread + lane].reply = {.value = value};
  };
  switch (meeting.operation) {
    case WarpOperation::Sync:
      return;
    case WarpOperation::ShuffleIndex:
    case WarpOperation::ShuffleUp:
    case WarpOperation::ShuffleDown:
    case WarpOperation::ShuffleXor:
      answer_shuffle(meeting.mask, first_thread);
      return;
    case WarpOperation::MatchAny:
      for_each_lane(meeting.mask, [&](std::uint32_t lane) {
        std::uint64_t equal = 0;
        for_each_lane(meeting.mask, [&](std::uint32_t other) {
          equal |= std::uint64_t{request_of(other).value == request_of(lane).value} << other;
        });
        reply_to(lane, equal);
      });
      return;
    case WarpOperation::Ballot: {
      std::uint64_t votes = 0;
      for_each_lane(meeting.mask, [&](std::uint32_t lane) {
        votes |= std::uint64_t{request_of(lane).value != 0} << lane;
      });
      for_each_lane(meeting.mask, [&](std::uint32_t lane) { reply_to(lane, votes); });
      return;
    }
    default:
      break;
  }
  const auto first_lane = static_cast<std::uint32_t>(std::countr_zero(meeting.mask));
  auto total = static_cast<std::uint32_t>(request_of(first_lane).value);
  for_each_lane(meeting.mask & (meeting.mask - 1), [&](std::uint32_t lane) {
    const auto value = static_cast<std::uint32_t>(request_of(lane).value);
    total = combine(meeting.operation, total, value);
  });
  for_each_lane(meeting.mask, [&](std::uint32_t lane) { reply_to(lane, total); });
}

}  // namespace switchyard
