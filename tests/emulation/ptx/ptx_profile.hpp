// Machine-independent counters of a kernel's execution: what the program asks of a GPU, not how
// long that takes. Lanes that execute the same instruction for the same time count as one warp
// instruction, as if every divergence met again at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace switchyard {

struct PtxCounters {
  std::uint64_t warp_instructions = 0;
  std::uint64_t load_sectors = 0;       ///< 32-byte sectors of global loads, counted per request
  std::uint64_t store_sectors = 0;      ///< of global stores and atomics
  std::uint64_t shared_wavefronts = 0;  ///< passes over the 32 shared-memory banks

  [[nodiscard]] std::uint64_t sectors() const { return load_sectors + store_sectors; }
};

enum class PtxAccess : std::uint8_t { GlobalLoad, GlobalStore, Shared, SharedAtomic };

/// Collects the counters of one launch, block after block.
class PtxProfile {
 public:
  void begin_block(std::size_t warps, std::size_t instructions);

  /// One lane executes instruction `at`; returns how often it did so before.
  std::uint32_t execute(std::uint32_t warp, std::uint32_t lane, std::size_t at);

  struct Access {
    PtxAccess kind = PtxAccess::GlobalLoad;
    std::uint64_t address = 0;
    unsigned bytes = 0;
  };

  /// The memory access of the `occurrence`-th execution of instruction `at`.
  void access(std::uint32_t warp, std::size_t at, std::uint32_t occurrence, const Access& access);

  void end_block();

  [[nodiscard]] const PtxCounters& counters() const { return counters_; }

 private:
  using Request = std::tuple<std::uint32_t, std::size_t, std::uint32_t>;

  void count_request(const std::vector<Access>& lanes);

  PtxCounters counters_;
  std::size_t instructions_ = 0;
  std::vector<std::uint32_t> executions_;  // [warps, instructions, 32]
  std::map<Request, std::vector<Access>> requests_;
};

}  // namespace switchyard
