// Boost.Random keeps no state between calls here: a fresh distribution object per call (or fill)
// means that the numbers depend on the stream alone.
#include "core/numbers/random.hpp"

#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_01.hpp>
#include <boost/random/uniform_int_distribution.hpp>

#include "core/check.hpp"

namespace switchyard {
namespace {

std::uint64_t stream_seed(std::uint64_t seed, std::initializer_list<std::uint64_t> path) {
  std::uint64_t state = mix_bits(0, seed);
  for (const std::uint64_t step : path) {
    state = mix_bits(state, step);
  }
  return state;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::initializer_list<std::uint64_t> path)
    : engine_(stream_seed(seed, path)) {}

std::uint64_t RandomStream::bits() {
  return engine_();
}

double RandomStream::uniform() {
  return boost::random::uniform_01<double>()(engine_);
}

std::uint64_t RandomStream::index(std::uint64_t count) {
  SWITCHYARD_CHECK(count > 0, "an index needs something to choose from");
  return boost::random::uniform_int_distribution<std::uint64_t>(0, count - 1)(engine_);
}

double RandomStream::normal() {
  return boost::random::normal_distribution<double>()(engine_);
}

void RandomStream::fill_normal(std::span<float> values) {
  boost::random::normal_distribution<float> distribution;
  for (float& value : values) {
    value = distribution(engine_);
  }
}

}  // namespace switchyard
