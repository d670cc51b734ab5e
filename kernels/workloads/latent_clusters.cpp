// Synthetic hidden states with the structure that makes real routing uneven: topics (clusters of
// hidden space, tight in some directions and wide in others) of Zipf popularity, kept along a
// sequence and drifting from step to step.
//
//   x[layer] = common * m + c[topic] + n[layer]
//   n[layer] = affinity * n[layer - 1] + sqrt(1 - affinity^2) * spread * s[topic] .* noise
//
// m, c: standard normal vectors; s: 1, or `tight_scale` in a random `tight_fraction` of directions.
// Noise is a sum of four uniform numbers: normal up to a kurtosis of -0.3, at a quarter of the
// cost.
#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "core/numbers/random.hpp"
#include "kernels/selection/isa_versions.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/workloads/workload.hpp"

namespace switchyard {
namespace {

/// Names of the random streams.
enum Stream : std::uint64_t { Centroids, Directions, Common, Drift, Topics, Words, Noise, Gates };

constexpr std::uint64_t kWordsOfTopic = 2000;
constexpr std::uint64_t kVocabulary = 32000;

/// A whole number of things: how many by default, and at most.
struct Count {
  std::int64_t default_value;
  std::int64_t highest;
};

struct TokenJob {
  float* state;         // [hidden]: in, the layer before; out, this one
  const float* centre;  // [hidden]: common part + centroid
  const float* width;   // [hidden]: spread of the topic in each direction
  std::size_t hidden;
  std::uint64_t key;  // of the noise
  float kept;         // share of the deviation before
  float fresh;        // share of new noise
};

SWITCHYARD_ISA_BODY void advance_token_body(const TokenJob& job) {
  constexpr float kToUnitVariance = 1.7320508F / 65536.0F;  // of a sum of four 16-bit numbers
  const float fresh = job.fresh * kToUnitVariance;
  for (std::size_t at = 0; at < job.hidden; ++at) {
    const std::uint64_t bits = mix_bits(job.key, at);
    const auto sum = static_cast<std::int32_t>((bits & 0xFFFFU) + (bits >> 16U & 0xFFFFU) +
                                               (bits >> 32U & 0xFFFFU) + (bits >> 48U));
    const float noise = static_cast<float>(sum - 131070) * fresh;
    const float before = (job.state[at] - job.centre[at]) * job.kept;
    job.state[at] = job.centre[at] + before + job.width[at] * noise;
  }
}

SWITCHYARD_ISA_VERSIONS(advance_token, TokenJob)

/// Running sums of weights, to draw an index with probability proportional to its weight.
class Lottery {
 public:
  explicit Lottery(const std::vector<double>& weights) {
    double sum = 0;
    for (const double weight : weights) {
      sum += weight;
      ends_.push_back(sum);
    }
  }

  std::size_t draw(RandomStream& random) const {
    const double at = random.uniform() * ends_.back();
    const auto found = std::upper_bound(ends_.begin(), ends_.end() - 1, at);
    return static_cast<std::size_t>(found - ends_.begin());
  }

 private:
  std::vector<double> ends_;
};

std::vector<double> zipf_weights(std::size_t count, double exponent) {
  std::vector<double> weights;
  for (std::size_t rank = 0; rank < count; ++rank) {
    weights.push_back(std::pow(static_cast<double>(rank + 1), -exponent));
  }
  return weights;
}

class LatentClusters final : public Workload {
 public:
  explicit LatentClusters(Parameters& parameters)
      : shape_{.steps = count(parameters, "steps", {1, 1'000'000}, "steps (forward passes)"),
               .layers = count(parameters, "layers", {4, 4096}, "MoE layers"),
               .ranks = count(parameters, "ranks", {8, 65536}, "source ranks"),
               .hidden = count(parameters, "hidden", {256, 65536}, "width of a hidden state"),
               .experts = count(parameters, "experts", {64, 65536}, "experts per layer")},
        tokens_(count(parameters, "tokens", {1024, 1 << 24}, "tokens per rank and step")),
        sequence_length_(
            count(parameters, "sequence_length", {512, 1 << 24}, "tokens of a sequence")),
        topics_(count(parameters, "topics", {64, 65536}, "latent clusters")),
        zipf_(parameters.get_number(
            "zipf", 0.8, {0, 10}, "popularity of topic r is r^-zipf; 0 = all alike")),
        persistence_(parameters.get_number(
            "persistence", 0.9, {0, 1}, "probability that the next token keeps the topic")),
        drift_(parameters.get_number("drift",
                                     0.1,
                                     {0, 10},
                                     "standard deviation of the change of a topic's log "
                                     "popularity from one step to the next")),
        affinity_(parameters.get_number("layer_affinity",
                                        0.9,
                                        {0, 1},
                                        "correlation of a token's own part of the hidden state "
                                        "between consecutive layers")),
        image_fraction_(parameters.get_number(
            "image_fraction", 0, {0, 1}, "share of sequences whose modality is image")),
        gate_scale_(parameters.get_number("gate_scale",
                                          1.0,
                                          {0, 1000},
                                          "standard deviation of a logit for a state of unit "
                                          "variance; larger = more decided gates")),
        gate_similarity_(parameters.get_number("gate_similarity",
                                               0,
                                               {0, 1},
                                               "cosine between the gate rows of two experts; 0 = "
                                               "independent, 1 = all equal")),
        is_orthogonal_(parameters.get_flag(
            "orthogonal_gate",
            false,
            "make the gate rows of experts orthogonal before gate_similarity is given to them: "
            "their mean cosine is then exactly that")),
        seed_(static_cast<std::uint64_t>(parameters.get_integer(
            "seed", 1, {0, std::int64_t{1} << 53}, "seed of every random number"))) {
    const double common = parameters.get_number(
        "common", 0.4, {0, 1000}, "strength of the direction that all tokens share");
    const double spread = parameters.get_number(
        "spread", 1.0, {0, 1000}, "size of a token's own part beside its topic's");
    const double tight_fraction = parameters.get_number(
        "tight_fraction", 0.5, {0, 1}, "share of directions in which a topic is tight");
    const double tight_scale = parameters.get_number(
        "tight_scale", 0.25, {0, 1}, "spread in tight directions, relative to the others");
    if (is_orthogonal_ && shape_.experts >= shape_.hidden) {
      throw InvalidInput(std::to_string(shape_.experts) + " orthogonal gate rows do not fit into " +
                             std::to_string(shape_.hidden) + " coordinates",
                         {},
                         "use wider hidden states, fewer experts, or no orthogonal_gate");
    }
    make_topics(common, spread, tight_fraction, tight_scale);
  }

  [[nodiscard]] WorkloadShape shape() const override { return shape_; }

  [[nodiscard]] std::size_t token_count(std::size_t /*rank*/) const override { return tokens_; }

  [[nodiscard]] std::string provenance() const override {
    return fmt::format("synthetic workload latent_clusters, seed {}", seed_);
  }

  [[nodiscard]] Matrix<float> gate(std::size_t layer) const override {
    Matrix<float> gate(shape_.experts, shape_.hidden);
    std::vector<float> shared(shape_.hidden);
    RandomStream random(seed_, {Gates, layer});
    random.fill_normal(shared);
    random.fill_normal(gate.values());
    if (is_orthogonal_) {
      make_orthogonal(gate, shared);
    }
    const double scale = gate_scale_ / std::sqrt(static_cast<double>(shape_.hidden));
    const auto own = static_cast<float>(scale * std::sqrt(1 - gate_similarity_));
    const auto alike = static_cast<float>(scale * std::sqrt(gate_similarity_));
    for (std::size_t expert = 0; expert < shape_.experts; ++expert) {
      for (std::size_t at = 0; at < shape_.hidden; ++at) {
        gate(expert, at) = gate(expert, at) * own + shared[at] * alike;
      }
    }
    return gate;
  }

  [[nodiscard]] WorkloadTokens tokens(std::size_t step, std::size_t rank) const override {
    const std::vector<std::size_t> topics = draw_topics(step, rank);
    const Lottery words(zipf_weights(kWordsOfTopic, 1.0));
    RandomStream random(seed_, {Words, step, rank});
    WorkloadTokens tokens;
    for (std::size_t token = 0; token < tokens_; ++token) {
      const std::uint64_t word = mix_bits(topics[token], words.draw(random)) % kVocabulary;
      tokens.token_ids.push_back(static_cast<std::int64_t>(word));
      const std::size_t sequence =
          (step * shape_.ranks + rank) * sequences_of_rank() + token / sequence_length_;
      tokens.sequence_ids.push_back(static_cast<std::int64_t>(sequence));
      if (image_fraction_ > 0) {
        const double lot = static_cast<double>(mix_bits(seed_, sequence) >> 11U) * 0x1p-53;
        tokens.modality.push_back(lot < image_fraction_ ? 1 : 0);
      }
    }
    return tokens;
  }

  void fill_hidden(const WorkloadPlace& place,
                   MatrixView<float> hidden,
                   const RowsFilled& filled) const override {
    const std::vector<std::size_t> topics = draw_topics(place.step, place.rank);
    const bool is_first = place.layer == 0;
    const double fresh = is_first ? 1.0 : std::sqrt(1 - affinity_ * affinity_);
    RandomStream random(seed_, {Noise, place.step, place.layer, place.rank});
    const std::uint64_t key = random.bits();
    const auto advance = [&](std::size_t token, std::span<float> state) {
      if (is_first) {
        std::fill(state.begin(), state.end(), 0.0F);
      }
      advance_token({.state = state.data(),
                     .centre = centres_.row(topics[token]).data(),
                     .width = widths_.row(topics[token]).data(),
                     .hidden = shape_.hidden,
                     .key = mix_bits(key, token),
                     .kept = is_first ? 0.0F : static_cast<float>(affinity_),
                     .fresh = static_cast<float>(fresh)});
    };
    fill_in_runs(
        hidden,
        [&](std::size_t first, MatrixView<float> run) {
          for_each_token(
              run.rows(),
              [] { return 0; },
              [&](std::size_t row, int /*scratch*/) { advance(first + row, run.row(row)); });
        },
        filled);
  }

 private:
  /// Gram-Schmidt from `first` on, twice, as once leaves what rounding does; all rows end as long
  /// as normal ones.
  void make_orthogonal(Matrix<float>& gate, std::vector<float>& first) const {
    const auto remove = [](std::span<float> from, std::span<const float> direction) {
      double dot = 0;
      double square = 0;
      for (std::size_t at = 0; at < from.size(); ++at) {
        dot += double{from[at]} * double{direction[at]};
        square += double{direction[at]} * double{direction[at]};
      }
      for (std::size_t at = 0; at < from.size(); ++at) {
        from[at] -= static_cast<float>(dot / square) * direction[at];
      }
    };
    const auto lengthen = [](std::span<float> row) {
      double square = 0;
      for (const float value : row) {
        square += double{value} * double{value};
      }
      const double scale = std::sqrt(static_cast<double>(row.size()) / square);
      for (float& value : row) {
        value *= static_cast<float>(scale);
      }
    };
    lengthen(first);
    for (std::size_t expert = 0; expert < gate.rows(); ++expert) {
      for (int pass = 0; pass < 2; ++pass) {
        remove(gate.row(expert), first);
        for (std::size_t before = 0; before < expert; ++before) {
          remove(gate.row(expert), gate.row(before));
        }
      }
      lengthen(gate.row(expert));
    }
  }

  static std::size_t count(Parameters& parameters,
                           const std::string& name,
                           Count bounds,
                           const std::string& sentence) {
    return static_cast<std::size_t>(
        parameters.get_integer(name, bounds.default_value, {1, bounds.highest}, sentence));
  }

  [[nodiscard]] std::size_t sequences_of_rank() const {
    return (tokens_ + sequence_length_ - 1) / sequence_length_;
  }

  void make_topics(double common, double spread, double tight_fraction, double tight_scale) {
    std::vector<float> shared(shape_.hidden);
    RandomStream(seed_, {Common}).fill_normal(shared);
    centres_ = Matrix<float>(topics_, shape_.hidden);
    widths_ = Matrix<float>(topics_, shape_.hidden);
    for (std::size_t topic = 0; topic < topics_; ++topic) {
      RandomStream(seed_, {Centroids, topic}).fill_normal(centres_.row(topic));
      RandomStream random(seed_, {Directions, topic});
      for (std::size_t at = 0; at < shape_.hidden; ++at) {
        centres_(topic, at) += static_cast<float>(common) * shared[at];
        const bool is_tight = random.uniform() < tight_fraction;
        widths_(topic, at) = static_cast<float>(spread * (is_tight ? tight_scale : 1.0));
      }
    }
  }

  /// Popularity of each topic in a step: Zipf times a log-normal walk.
  [[nodiscard]] std::vector<double> popularity(std::size_t step) const {
    std::vector<double> weights = zipf_weights(topics_, zipf_);
    for (std::size_t topic = 0; topic < topics_ && drift_ > 0; ++topic) {
      RandomStream random(seed_, {Drift, topic});
      double change = 0;
      for (std::size_t passed = 0; passed < step; ++passed) {
        change += drift_ * random.normal();
      }
      weights[topic] *= std::exp(change);
    }
    return weights;
  }

  [[nodiscard]] std::vector<std::size_t> draw_topics(std::size_t step, std::size_t rank) const {
    const Lottery lottery(popularity(step));
    RandomStream random(seed_, {Topics, step, rank});
    std::vector<std::size_t> topics;
    for (std::size_t token = 0; token < tokens_; ++token) {
      const bool is_start = token % sequence_length_ == 0;
      const bool keeps = !is_start && random.uniform() < persistence_;
      topics.push_back(keeps ? topics.back() : lottery.draw(random));
    }
    return topics;
  }

  WorkloadShape shape_;
  std::size_t tokens_;
  std::size_t sequence_length_;
  std::size_t topics_;
  double zipf_;
  double persistence_;
  double drift_;
  double affinity_;
  double image_fraction_;
  double gate_scale_;
  double gate_similarity_;
  bool is_orthogonal_;
  std::uint64_t seed_;
  Matrix<float> centres_;  // [topics, hidden]
  Matrix<float> widths_;   // [topics, hidden]
};

const Register<Workload, LatentClusters> kLatentClusters{
    "latent_clusters", "topics of Zipf popularity as anisotropic clusters of hidden space"};

}  // namespace
}  // namespace switchyard
