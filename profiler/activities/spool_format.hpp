// What the two sides of a spool agree on: see activity_spool.hpp.
#pragma once

#include <array>
#include <cstdint>

#include "profiler/activities/activity_records.hpp"

namespace switchyard::spool {

inline constexpr std::array<char, 8> kMagic{'S', 'W', 'Y', 'S', 'P', 'O', 'O', 'L'};
inline constexpr std::uint32_t kVersion = 1;

struct Head {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t record_bytes = sizeof(ActivityRecord);
};

enum Frame : std::uint32_t {
  Owner = 1,  // OwnerNumbers, then host and command, each ended by a zero byte
  Names,      // texts, each ended by a zero byte; indices go on from the frame before
  Devices,    // DeviceFacts...
  Records,    // ActivityRecord...
  Counts,     // CountNumbers, then pairs (kind u64, how many u64) of unknown kinds
  Problem,    // reason and hint, each ended by a zero byte
  End,        // empty
};

struct FrameHead {
  std::uint32_t type = 0;
  std::uint32_t unused = 0;
  std::uint64_t bytes = 0;
};

struct OwnerNumbers {
  std::int64_t epoch_unix_ns = 0;
  std::int64_t process_id = 0;
  std::int32_t rank = 0;
  std::int32_t world_size = 0;
  std::uint32_t cupti_version = 0;
  std::uint32_t unused = 0;
};

struct CountNumbers {
  std::uint64_t untimed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t malformed = 0;
};

static_assert(sizeof(Head) == 16 && sizeof(FrameHead) == 16 && sizeof(OwnerNumbers) == 32 &&
              sizeof(CountNumbers) == 24);

}  // namespace switchyard::spool
