#include "tests/support/offload.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"

namespace switchyard::testing {
namespace {

// Draws by Zipf's law over a shuffled order of experts.
class Popularity {
 public:
  Popularity(RandomStream& random, const StreamShape& shape) : order_(shape.experts) {
    std::iota(order_.begin(), order_.end(), 0U);
    for (std::size_t i = order_.size(); i-- > 1;) {
      std::swap(order_[i], order_[random.index(i + 1)]);
    }
    for (std::size_t i = 0; i < shape.experts; ++i) {
      total_ += std::pow(static_cast<double>(i + 1), -shape.skew);
      cumulative_.push_back(total_);
    }
  }

  [[nodiscard]] std::uint32_t draw(RandomStream& random) const {
    const double at = random.uniform() * total_;
    const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, at);
    return order_[static_cast<std::size_t>(found - cumulative_.begin())];
  }

 private:
  std::vector<std::uint32_t> order_;
  std::vector<double> cumulative_;
  double total_ = 0;
};

Need last_need(RandomStream& random, const StreamShape& shape) {
  const double at = random.uniform();
  return at < shape.skip_share                     ? Need::Skip
         : at < shape.skip_share + shape.low_share ? Need::Low
                                                   : Need::High;
}

}  // namespace

AccessStream random_stream(std::uint64_t seed, const StreamShape& shape) {
  RandomStream random(seed, {41});
  AccessStream stream;
  stream.layers = shape.layers;
  stream.experts = shape.experts;
  stream.top_k = shape.top_k;
  std::vector<Popularity> popularity;
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    stream.layer_numbers.push_back(static_cast<std::int64_t>(layer));
    popularity.emplace_back(random, shape);
  }
  for (std::size_t pass = 0; pass < shape.passes; ++pass) {
    stream.pass_tokens.push_back(1);
    stream.starts_sequence.push_back(pass == 0 ? 1 : 0);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      const std::size_t first = stream.uses.size();
      const std::size_t wanted = random.uniform() < shape.single_share ? 1 : shape.top_k;
      while (stream.uses.size() < first + wanted) {
        const std::uint32_t expert = popularity[layer].draw(random);
        const bool is_new =
            std::none_of(stream.uses.begin() + static_cast<std::ptrdiff_t>(first),
                         stream.uses.end(),
                         [expert](const ExpertDemand& use) { return use.expert == expert; });
        if (is_new) {
          const bool is_last = stream.uses.size() + 1 == first + wanted && wanted > 1;
          stream.uses.push_back({.expert = expert,
                                 .tokens = 1,
                                 .need = is_last ? last_need(random, shape) : Need::High});
        }
      }
      stream.visit_starts.push_back(stream.uses.size());
    }
  }
  return stream;
}

std::shared_ptr<const CachePolicy> make_policy(const std::string& name) {
  return make_policy(name, nlohmann::json::object());
}

std::shared_ptr<const CachePolicy> make_policy(const std::string& name,
                                               const nlohmann::json& parameters) {
  Parameters values(parameters, {});
  return Registry<CachePolicy>::instance().create(name, "cache policy", values);
}

OffloadSetup expert_of_one_byte(const AccessStream& stream,
                                std::shared_ptr<const CachePolicy> policy,
                                std::int64_t capacity) {
  OffloadSetup setup;
  setup.policy = std::move(policy);
  setup.tier.host = {.bandwidth = BytesPerSecond{1}, .latency = Seconds{0}};
  setup.cache = {.high = {capacity}, .low = {0}};
  setup.high_bytes.assign(stream.layers * stream.experts, 1);
  setup.low_bytes = setup.high_bytes;
  setup.time.byte_rate = 1e30;
  setup.time.flops_rate = 1e30;
  return setup;
}

}  // namespace switchyard::testing
