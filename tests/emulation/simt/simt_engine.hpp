// Runs the threads of a CUDA block as fibers on one CPU thread, deterministically. Warp collectives
// and barriers really meet: misuse that a GPU turns into a hang or into silent corruption
// (divergent collectives, lanes that never arrive, a shuffle from outside the mask, shared memory
// overruns) is reported as SimtError with the place. The order in which threads run is permuted by
// a seed, so a missing barrier changes results instead of hiding. Not modelled: weak memory order,
// timing, independent progress inside spin loops, clusters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/emulation/simt/fiber.hpp"

namespace switchyard {

/// What an emulated kernel did wrong, with block, thread and source place.
class SimtError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// CUDA's dim3 and uint3.
struct SimtIndex {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;

  [[nodiscard]] std::size_t volume() const { return std::size_t{x} * y * z; }
};

struct SimtLaunch {
  SimtIndex grid{};
  SimtIndex block{};
  std::uint64_t schedule_seed = 0;  ///< 0: threads run in natural order
};

enum class WarpOperation : std::uint8_t {
  Sync,
  ShuffleIndex,
  ShuffleUp,
  ShuffleDown,
  ShuffleXor,
  Ballot,
  MatchAny,
  MaximumUnsigned,
  MinimumUnsigned,
  MaximumSigned,
  MinimumSigned,
  Add,
  And,
  Or,
  Xor,
};

/// One lane's part in a collective.
struct WarpRequest {
  WarpOperation operation = WarpOperation::Sync;
  std::uint32_t mask = 0xFFFFFFFFU;  ///< lanes that meet
  std::uint64_t value = 0;
  int argument = 0;  ///< source lane, distance or lane mask of a shuffle
  int width = 32;    ///< segment of a shuffle
};

/// What one lane gets back.
struct WarpReply {
  std::uint64_t value = 0;
  bool is_in_range = true;  ///< shuffles: the source lane lies in the segment
};

/// Where in the kernel a thread waits: file and line of C++ source, or kernel and line of PTX.
struct SimtPlace {
  const char* file = "";
  int line = 0;
};

/// One block's worth of threads; reused for every block of a launch.
class SimtEngine {
 public:
  explicit SimtEngine(const SimtLaunch& launch);

  /// Runs `body` once for every thread of every block, blocks one after the other.
  void run(const std::function<void()>& body);

  /// The engine of the launch in progress on this CPU thread; SimtError outside a launch.
  static SimtEngine& current();

  [[nodiscard]] const SimtIndex& grid() const { return launch_.grid; }

  [[nodiscard]] const SimtIndex& block() const { return launch_.block; }

  [[nodiscard]] const SimtIndex& block_index() const { return block_index_; }

  [[nodiscard]] const SimtIndex& thread_index() const { return threads_[running_].index; }

  [[nodiscard]] std::uint32_t lane() const { return running_ % 32; }

  [[nodiscard]] std::uint32_t warp() const { return running_ / 32; }

  /// Meets the other lanes of the mask and exchanges values with them.
  WarpReply collective(const WarpRequest& request, SimtPlace place);

  /// __syncthreads: waits for every thread of the block that has not exited.
  void block_barrier(SimtPlace place);

  /// The block's shared object `key`, poisoned with 0xA5 at its first use in each block.
  void* shared_object(const void* key, std::string_view name, std::size_t bytes, std::size_t align);

 private:
  enum class Wait : std::uint8_t { None, Warp, Block, Done };

  struct Thread {
    Fiber fiber;
    SimtIndex index;
    Wait wait = Wait::Done;
    WarpRequest request;
    WarpReply reply;
    SimtPlace place{};
  };

  /// Lanes of one mask that wait for each other.
  struct Meeting {
    std::uint32_t mask = 0;
    std::uint32_t arrived = 0;
    WarpOperation operation = WarpOperation::Sync;
    SimtPlace place{};
  };

  struct SharedObject {
    const void* key = nullptr;
    std::string name;
    std::size_t offset = 0;
    std::size_t bytes = 0;
  };

  static void thread_entry();
  void thread_main();
  void run_block();
  void start_threads();
  void permute_order();
  void suspend(Wait wait, SimtPlace place);
  void release_barrier();
  Meeting& join_meeting(const WarpRequest& request, SimtPlace place);
  void answer(const Meeting& meeting, std::uint32_t first_thread);
  void answer_shuffle(std::uint32_t mask, std::uint32_t first_thread);
  void check_shared_canaries() const;
  [[noreturn]] void fail(std::string_view what, std::uint32_t thread, SimtPlace place) const;
  [[noreturn]] void report_deadlock() const;

  SimtLaunch launch_;
  SimtIndex block_index_;
  const std::function<void()>* body_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<std::uint32_t> order_;
  std::vector<std::vector<Meeting>> meetings_;  ///< open meetings of each warp
  std::vector<std::byte> shared_memory_;
  std::vector<SharedObject> shared_objects_;
  std::size_t shared_bytes_ = 0;
  std::exception_ptr failure_;
  std::uint64_t schedule_state_ = 0;
  std::uint32_t running_ = 0;
  std::uint32_t done_count_ = 0;
  std::uint32_t barrier_count_ = 0;
};

/// Launches `body` as a kernel: simt_launch({.grid = {2}, .block = {128}}, [&] { kernel(arguments);
/// }).
void simt_launch(const SimtLaunch& launch, const std::function<void()>& body);

}  // namespace switchyard
