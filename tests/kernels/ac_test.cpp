// The checks ACM-1, ACM-3 and ACM-5 of the design notes, and the corner cases of cluster weights.
#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "kernels/stages/adaptive_clustering.hpp"
#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

RoutingDecision labelled(const std::vector<std::int32_t>& labels) {
  RoutingDecision decision = RoutingDecision::empty(labels.size(), 1);
  for (std::size_t token = 0; token < labels.size(); ++token) {
    decision.expert_ids(token, 0) = labels[token];
    decision.weights(token, 0) = 1.0F;
  }
  return decision;
}

RoutingDecision route(const nlohmann::json& values,
                      const Matrix<float>& hidden,
                      const Matrix<float>& gate,
                      const RoutingDecision* previous) {
  return make_router("ac", values)
      ->route({.hidden = hidden.view(),
               .gate = gate.view(),
               .previous_layer = previous,
               .layer = previous == nullptr ? 0 : 5});
}

TEST(AdaptiveClustering, WithEqualDeviationsChoosesExactlyAsThePlainGate) {
  // Pairs of tokens at centre +- 1 in every direction: each cluster's mean deviation is exactly 1.
  constexpr std::size_t kClusters = 8;
  constexpr std::size_t kHidden = 32;
  RandomStream random(1, {});
  Matrix<float> hidden(4 * kClusters, kHidden);
  std::vector<std::int32_t> labels;
  for (std::size_t token = 0; token < hidden.rows(); ++token) {
    labels.push_back(static_cast<std::int32_t>(token / 4));
    for (std::size_t at = 0; at < kHidden; ++at) {
      const float sign = token % 2 == 0 ? 1.0F : -1.0F;
      const auto flip = mix_bits(token / 2, at) % 2 == 0 ? 1.0F : -1.0F;
      hidden(token, at) = static_cast<float>(token / 4) + sign * flip;
    }
  }
  const Matrix<float> weights = cluster_weights(hidden.view(), labels, kClusters, {});
  for (const float weight : weights.values()) {
    ASSERT_EQ(weight, 1.0F);
  }
  const Matrix<float> gate = normal_matrix(kClusters, kHidden, 2);
  const RoutingDecision previous = labelled(labels);
  EXPECT_EQ(route({}, hidden, gate, &previous), route({}, hidden, gate, nullptr));
}

TEST(AdaptiveClustering, WeightsAverageToOneOverClustersInLanguageModels) {
  for (const bool is_compatible : {false, true}) {
    const Matrix<float> hidden = normal_matrix(500, 64, 3);
    std::vector<std::int32_t> labels;
    for (std::size_t token = 0; token < 500; ++token) {
      labels.push_back(token < 5 ? 15 : static_cast<std::int32_t>(token % 13));
    }
    const Matrix<float> weights = cluster_weights(
        hidden.view(), labels, 16, {.is_compatible = is_compatible, .used_clusters = 16});
    for (std::size_t at = 0; at < 64; ++at) {
      double mean = 0;
      for (std::size_t cluster = 0; cluster < 16; ++cluster) {
        mean += double{weights(cluster, at)} / 16;
      }
      EXPECT_NEAR(mean, 1.0, 1e-5);
    }
  }
}

TEST(AdaptiveClustering, WeightsStayBelowOneAndAHalfInSwinModels) {
  Matrix<float> hidden = normal_matrix(500, 64, 4);
  std::vector<std::int32_t> labels;
  for (std::size_t token = 0; token < 500; ++token) {
    labels.push_back(static_cast<std::int32_t>(token % 16));
    hidden(token, token % 16) *= 0.01F;  // some very tight directions
    hidden(token, 0) *= 0.01F;
  }
  const Matrix<float> weights =
      cluster_weights(hidden.view(), labels, 16, {.normalisation = ClusterNormalisation::Swin});
  EXPECT_LE(*std::ranges::max_element(weights.values()), 1.5F);
  EXPECT_NEAR(*std::ranges::max_element(weights.values()), 1.5, 1e-6);
}

TEST(AdaptiveClustering, LeavesClustersWithoutSpreadAloneUnlessCompatible) {
  const Matrix<float> hidden = normal_matrix(101, 8, 5);
  std::vector<std::int32_t> labels(101, 0);
  labels[100] = 1;  // alone: no deviation
  const Matrix<float> ours = cluster_weights(hidden.view(), labels, 4, {});
  for (const std::size_t cluster : {1U, 2U, 3U}) {
    for (const float weight : ours.row(cluster)) {
      EXPECT_EQ(weight, 1.0F);
    }
  }
  const Matrix<float> released =
      cluster_weights(hidden.view(), labels, 4, {.is_compatible = true, .used_clusters = 2});
  for (std::size_t at = 0; at < 8; ++at) {
    // 1 / 1e-4 beside about 1: both clusters average to 1, the lone one takes nearly all of it.
    EXPECT_NEAR(released(1, at), 2.0, 0.01);
    EXPECT_LT(released(0, at), 0.01F);
  }
}

/// Check ACM-3: clusters with unit-normal-free centres, tight in some directions.
struct Mixture {
  static constexpr std::size_t kClusters = 16;
  static constexpr std::size_t kHidden = 64;
  static constexpr std::size_t kTokens = 4096;

  Matrix<float> hidden{kTokens, kHidden};
  Matrix<float> gate{kClusters, kHidden};
  std::vector<std::int32_t> truth;
  std::vector<std::int32_t> labels;  // truth, a fifth of it replaced at random

  Mixture(std::uint64_t seed, bool is_isotropic) {
    RandomStream random(seed, {});
    Matrix<float> centres(kClusters, kHidden);
    Matrix<float> sigma(kClusters, kHidden, is_isotropic ? 0.7F : 1.0F);
    for (std::size_t cluster = 0; cluster < kClusters; ++cluster) {
      for (float& value : centres.row(cluster)) {
        value = static_cast<float>(0.25 * random.normal());
      }
      for (int tight = 0; tight < 16 && !is_isotropic;) {
        float& value = sigma(cluster, random.index(kHidden));
        tight += value == 1.0F ? 1 : 0;
        value = 0.1F;
      }
      std::ranges::copy(centres.row(cluster), gate.row(cluster).begin());
    }
    for (std::size_t token = 0; token < kTokens; ++token) {
      const std::size_t cluster = random.index(kClusters);
      truth.push_back(static_cast<std::int32_t>(cluster));
      const bool is_wrong = random.uniform() < 0.2;
      labels.push_back(is_wrong ? static_cast<std::int32_t>(random.index(kClusters))
                                : truth.back());
      for (std::size_t at = 0; at < kHidden; ++at) {
        hidden(token, at) =
            centres(cluster, at) + sigma(cluster, at) * static_cast<float>(random.normal());
      }
    }
  }

  /// Share of tokens whose best expert is the majority expert of their true cluster.
  [[nodiscard]] double purity(const RoutingDecision& decision) const {
    std::map<std::int32_t, std::map<std::int32_t, std::size_t>> seen;  // expert -> cluster -> count
    for (std::size_t token = 0; token < kTokens; ++token) {
      ++seen[decision.expert_ids(token, 0)][truth[token]];
    }
    std::size_t pure = 0;
    for (const auto& [expert, clusters] : seen) {
      std::size_t most = 0;
      for (const auto& [cluster, count] : clusters) {
        most = std::max(most, count);
      }
      pure += most;
    }
    return static_cast<double>(pure) / kTokens;
  }

  [[nodiscard]] double gain(const std::string& normalisation) const {
    const RoutingDecision previous = labelled(labels);
    const nlohmann::json values{{"normalisation", normalisation}};
    return purity(route(values, hidden, gate, &previous)) -
           purity(route(values, hidden, gate, nullptr));
  }
};

TEST(AdaptiveClustering, SeparatesAnisotropicClustersBetterThanThePlainGate) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Mixture mixture(seed, false);
    EXPECT_GT(mixture.gain("language"), 0.05) << seed;
    EXPECT_GT(mixture.gain("swin"), 0.05) << seed;
  }
}

TEST(AdaptiveClustering, GainsNothingOnIsotropicClusters) {
  double gain = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    gain += Mixture(seed, true).gain("language") / 5;
  }
  EXPECT_LT(std::abs(gain), 0.01);
}

TEST(AdaptiveClustering, IsAnOrdinaryGateInItsFirstLayers) {
  const Matrix<float> hidden = normal_matrix(100, 32, 6);
  const Matrix<float> gate = normal_matrix(8, 32, 7);
  std::vector<std::int32_t> labels;
  for (std::int32_t token = 0; token < 100; ++token) {
    labels.push_back(token % 5);
  }
  const RoutingDecision previous = labelled(labels);
  const auto router = make_router("ac");
  const auto at_layer = [&](std::int64_t layer) {
    return router->route({.hidden = hidden.view(),
                          .gate = gate.view(),
                          .previous_layer = &previous,
                          .layer = layer});
  };
  EXPECT_EQ(at_layer(0), at_layer(1));
  EXPECT_NE(at_layer(1), at_layer(2));
}

}  // namespace
}  // namespace switchyard
