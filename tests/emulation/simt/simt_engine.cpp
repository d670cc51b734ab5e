// Scheduling, barriers and shared memory; what the collectives compute is in simt_collectives.cpp.
#include "tests/emulation/simt/simt_engine.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/core.h>

namespace switchyard {
namespace {

constexpr std::size_t kSharedLimit = 227 * 1024;  // what a block may use from sm_90 on
constexpr std::size_t kCanaryBytes = 64;
constexpr std::byte kPoison{0xA5};
constexpr std::byte kCanary{0x5C};
constexpr std::size_t kMaxBlockThreads = 1024;

thread_local SimtEngine* current_engine = nullptr;

/// Makes an engine current for a scope, so that launches may nest.
class CurrentEngine {
 public:
  explicit CurrentEngine(SimtEngine* engine) : saved_(std::exchange(current_engine, engine)) {}

  ~CurrentEngine() { current_engine = saved_; }

  CurrentEngine(const CurrentEngine&) = delete;
  CurrentEngine& operator=(const CurrentEngine&) = delete;

 private:
  SimtEngine* saved_;
};

}  // namespace

SimtEngine::SimtEngine(const SimtLaunch& launch)
    : launch_(launch),
      // Any non-zero state will do for xorshift; spread small seeds over all bits.
      schedule_state_(launch.schedule_seed * 0x9E3779B97F4A7C15ULL) {
  const std::size_t thread_count = launch.block.volume();
  if (thread_count == 0 || thread_count > kMaxBlockThreads || launch.grid.volume() == 0) {
    throw SimtError(
        fmt::format("invalid launch: {} blocks of {} threads", launch.grid.volume(), thread_count));
  }
  threads_.resize(thread_count);
  meetings_.resize((thread_count + 31) / 32);
  order_.resize(thread_count);
  shared_memory_.resize(kSharedLimit + kCanaryBytes);
}

SimtEngine& SimtEngine::current() {
  if (current_engine == nullptr) {
    throw SimtError("device code called outside simt_launch");
  }
  return *current_engine;
}

void SimtEngine::run(const std::function<void()>& body) {
  const CurrentEngine scope(this);
  body_ = &body;
  for (std::size_t block = 0; block < launch_.grid.volume(); ++block) {
    block_index_ = {.x = static_cast<unsigned>(block % launch_.grid.x),
                    .y = static_cast<unsigned>(block / launch_.grid.x % launch_.grid.y),
                    .z = static_cast<unsigned>(block / launch_.grid.x / launch_.grid.y)};
    run_block();
  }
}

void SimtEngine::start_threads() {
  const SimtIndex& size = launch_.block;
  for (std::uint32_t id = 0; id < threads_.size(); ++id) {
    Thread& thread = threads_[id];
    thread.index = {.x = id % size.x, .y = id / size.x % size.y, .z = id / size.x / size.y};
    thread.wait = Wait::None;
    thread.fiber.prepare(&SimtEngine::thread_entry);
  }
  for (auto& open : meetings_) {
    open.clear();
  }
  std::iota(order_.begin(), order_.end(), 0U);
  shared_objects_.clear();
  shared_bytes_ = 0;
  done_count_ = 0;
  barrier_count_ = 0;
}

void SimtEngine::run_block() {
  start_threads();
  while (done_count_ < threads_.size()) {
    permute_order();
    bool has_progress = false;
    for (const std::uint32_t id : order_) {
      if (threads_[id].wait != Wait::None) {
        continue;
      }
      has_progress = true;
      running_ = id;
      threads_[id].fiber.enter();
      if (failure_ != nullptr) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
      }
    }
    if (!has_progress) {
      report_deadlock();
    }
  }
  check_shared_canaries();
}

void SimtEngine::permute_order() {
  if (schedule_state_ == 0) {
    return;
  }
  for (std::size_t last = order_.size() - 1; last > 0; --last) {
    schedule_state_ ^= schedule_state_ << 13;
    schedule_state_ ^= schedule_state_ >> 7;
    schedule_state_ ^= schedule_state_ << 17;
    std::swap(order_[last], order_[schedule_state_ % (last + 1)]);
  }
}

void SimtEngine::thread_entry() {
  current_engine->thread_main();
}

void SimtEngine::thread_main() {
  Thread& self = threads_[running_];
  self.fiber.arrive();
  try {
    (*body_)();
  } catch (...) {
    failure_ = std::current_exception();
  }
  self.wait = Wait::Done;
  ++done_count_;
  if (barrier_count_ > 0 && barrier_count_ == threads_.size() - done_count_) {
    release_barrier();
  }
  self.fiber.leave(true);
}

void SimtEngine::suspend(Wait wait, SimtPlace place) {
  Thread& self = threads_[running_];
  self.wait = wait;
  self.place = place;
  self.fiber.leave();
}

void SimtEngine::block_barrier(SimtPlace place) {
  if (++barrier_count_ == threads_.size() - done_count_) {
    release_barrier();
    return;
  }
  suspend(Wait::Block, place);
}

void SimtEngine::release_barrier() {
  barrier_count_ = 0;
  for (Thread& thread : threads_) {
    if (thread.wait == Wait::Block) {
      thread.wait = Wait::None;
    }
  }
}

SimtEngine::Meeting& SimtEngine::join_meeting(const WarpRequest& request, SimtPlace place) {
  if ((request.mask >> lane() & 1U) == 0) {
    fail("calling lane is not in its own mask", running_, place);
  }
  const std::uint32_t highest_lane = 31U - static_cast<unsigned>(std::countl_zero(request.mask));
  if (warp() * 32 + highest_lane >= threads_.size()) {
    fail("mask names a lane beyond the block", running_, place);
  }
  for (Meeting& open : meetings_[warp()]) {
    if (open.mask != request.mask) {
      if ((open.mask & request.mask) != 0) {
        fail("lanes of overlapping but different masks meet", running_, place);
      }
      continue;
    }
    if (open.operation != request.operation || open.place.line != place.line) {
      fail("lanes of one mask meet in different collectives", running_, place);
    }
    return open;
  }
  return meetings_[warp()].emplace_back(
      Meeting{.mask = request.mask, .operation = request.operation, .place = place});
}

WarpReply SimtEngine::collective(const WarpRequest& request, SimtPlace place) {
  Thread& self = threads_[running_];
  self.request = request;
  self.place = place;
  Meeting& meeting = join_meeting(request, place);
  meeting.arrived |= 1U << lane();
  if (meeting.arrived != meeting.mask) {
    suspend(Wait::Warp, place);
    return self.reply;
  }
  const Meeting complete = meeting;
  std::erase_if(meetings_[warp()], [&](const Meeting& open) { return open.mask == complete.mask; });
  const std::uint32_t first_thread = warp() * 32;
  answer(complete, first_thread);
  for (std::uint32_t lanes = complete.mask; lanes != 0; lanes &= lanes - 1) {
    threads_[first_thread + static_cast<unsigned>(std::countr_zero(lanes))].wait = Wait::None;
  }
  return self.reply;
}

void* SimtEngine::shared_object(const void* key,
                                std::string_view name,
                                std::size_t bytes,
                                std::size_t align) {
  for (const SharedObject& object : shared_objects_) {
    if (object.key == key) {
      return &shared_memory_[object.offset];
    }
  }
  const std::size_t offset = (shared_bytes_ + align - 1) / align * align;
  if (offset + bytes > kSharedLimit) {
    throw SimtError(fmt::format("shared memory over {} bytes at {}", kSharedLimit, name));
  }
  std::fill_n(&shared_memory_[offset], bytes, kPoison);
  std::fill_n(&shared_memory_[offset + bytes], kCanaryBytes, kCanary);
  shared_bytes_ = offset + bytes + kCanaryBytes;
  shared_objects_.push_back(
      {.key = key, .name = std::string(name), .offset = offset, .bytes = bytes});
  return &shared_memory_[offset];
}

void SimtEngine::check_shared_canaries() const {
  for (const SharedObject& object : shared_objects_) {
    const std::byte* canary = &shared_memory_[object.offset + object.bytes];
    if (!std::all_of(
            canary, canary + kCanaryBytes, [](std::byte value) { return value == kCanary; })) {
      throw SimtError(
          fmt::format("block {} wrote beyond the end of shared {}", block_index_.x, object.name));
    }
  }
}

void SimtEngine::fail(std::string_view what, std::uint32_t thread, SimtPlace place) const {
  throw SimtError(fmt::format(
      "{} (block {}, thread {}, {}:{})", what, block_index_.x, thread, place.file, place.line));
}

void SimtEngine::report_deadlock() const {
  constexpr int kShownThreads = 4;
  std::string text = fmt::format("deadlock: {} threads exited;", done_count_);
  int shown = 0;
  for (std::uint32_t id = 0; id < threads_.size() && shown < kShownThreads; ++id) {
    const Thread& thread = threads_[id];
    if (thread.wait == Wait::Warp || thread.wait == Wait::Block) {
      ++shown;
      text += fmt::format(" thread {} waits in a {} at {}:{};",
                          id,
                          thread.wait == Wait::Block ? "block barrier" : "warp collective",
                          thread.place.file,
                          thread.place.line);
    }
  }
  throw SimtError(text);
}

void simt_launch(const SimtLaunch& launch, const std::function<void()>& body) {
  SimtEngine engine(launch);
  engine.run(body);
}

}  // namespace switchyard
