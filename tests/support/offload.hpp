// Access streams drawn from a seed, and setups whose times can be worked out by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "sim/cache_policy.hpp"
#include "sim/offload/replay.hpp"

namespace switchyard::testing {

struct StreamShape {
  std::size_t passes = 10;  // of one token
  std::size_t layers = 1;
  std::size_t experts = 8;
  std::size_t top_k = 2;
  double skew = 0;          // Zipf exponent of the experts' popularity
  double single_share = 0;  // of tokens that use one expert only
  double low_share = 0;     // of tokens whose last expert needs low precision only
  double skip_share = 0;    // of tokens whose last expert is skipped unless cached
};

/// Independent tokens; each layer has its own popular experts.
AccessStream random_stream(std::uint64_t seed, const StreamShape& shape);

std::shared_ptr<const CachePolicy> make_policy(const std::string& name);
std::shared_ptr<const CachePolicy> make_policy(const std::string& name,
                                               const nlohmann::json& parameters);

/// One GPU, one cache of `capacity` experts of one byte, a second for each copy, no compute time.
OffloadSetup expert_of_one_byte(const AccessStream& stream,
                                std::shared_ptr<const CachePolicy> policy,
                                std::int64_t capacity);

}  // namespace switchyard::testing
