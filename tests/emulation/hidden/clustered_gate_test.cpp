// Adaptive Clustering: emulator, compiled PTX and CPU router give the same bits, and what they
// choose is right in float64 (check ACM-2 of the design notes).
#include "kernels/hidden/clustered_gate.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/stages/ordered_projection.hpp"
#include "tests/emulation/hidden/clustered_gate_cases.hpp"
#include "tests/emulation/hidden/every_device.hpp"

namespace switchyard {
namespace {

class ClusteredGateOnDevices : public testing::TestWithParam<ClusteredCase> {};

TEST_P(ClusteredGateOnDevices, IsTheCpusUnderAnyScheduleAndPlan) {
  const ClusteredTokens tokens(GetParam());
  const RoutingDecision expected = tokens.route("cpu");
  on_emulated_devices([&] { return tokens.route("cuda"); },
                      [&](const RoutingDecision& got, const std::string& who) {
                        EXPECT_TRUE(expected == got) << who;
                      });
}

TEST_P(ClusteredGateOnDevices, IsTheCpusInCompiledKernels) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const ClusteredTokens tokens(GetParam());
  const RoutingDecision expected = tokens.route("cpu");
  on_compiled_devices([&] { return tokens.route("cuda"); },
                      [&](const RoutingDecision& got, const std::string& who) {
                        EXPECT_TRUE(expected == got) << who;
                      });
}

TEST_P(ClusteredGateOnDevices, HasTheCpusWeightsAndLogits) {
  const ClusteredTokens tokens(GetParam());
  const std::vector<std::int32_t> labels = tokens.labels();
  const ClusterWeightOptions options{.normalisation = GetParam().mode == "swin"
                                                          ? ClusterNormalisation::Swin
                                                          : ClusterNormalisation::Language,
                                     .is_compatible = GetParam().mode == "compat",
                                     .used_clusters = GetParam().experts - 1};
  Matrix<float> logits(GetParam().tokens, GetParam().experts);
  project_in_order(tokens.hidden.view(), tokens.gate.view(), logits.view());
  const Matrix<float> weights =
      cluster_weights(tokens.hidden.view(), labels, GetParam().experts, options);
  on_emulated_devices(
      [&] {
        return std::pair(
            cluster_weights_on_device(tokens.hidden.view(), labels, GetParam().experts, options),
            project_on_device(tokens.hidden.view(), tokens.gate.view()));
      },
      [&](const auto& got, const std::string& who) {
        expect_same_bits(weights, got.first, who + ", weights");
        expect_same_bits(logits, got.second, who + ", logits");
      });
}

/// The definition, in float64; for cases without hard rows and modes "language" and "swin".
class Float64Clusters {
 public:
  explicit Float64Clusters(const ClusteredTokens& tokens)
      : tokens_(tokens),
        labels_(tokens.labels()),
        weights_(tokens.test.experts, tokens.test.width, 1.0) {
    std::vector<std::size_t> counted;
    for (std::size_t cluster = 0; cluster < weights_.rows(); ++cluster) {
      if (std::ranges::count(labels_, static_cast<std::int32_t>(cluster)) >= 2) {
        counted.push_back(cluster);
        for (std::size_t at = 0; at < weights_.columns(); ++at) {
          weights_(cluster, at) = inverse_deviation(static_cast<std::int32_t>(cluster), at);
        }
      }
    }
    normalise(counted);
  }

  [[nodiscard]] const Matrix<double>& weights() const { return weights_; }

  [[nodiscard]] std::vector<double> logits(std::size_t token) const {
    const std::int32_t label = labels_[token];
    std::vector<double> logits;
    for (std::size_t expert = 0; expert < weights_.rows(); ++expert) {
      double dot = 0;
      double square = 0;
      for (std::size_t at = 0; at < weights_.columns(); ++at) {
        const double gate = tokens_.gate(expert, at);
        const double weight = label < 0 ? 1.0 : weights_(static_cast<std::size_t>(label), at);
        dot += weight * double{tokens_.hidden(token, at)} * gate;
        square += gate * gate;
      }
      logits.push_back(dot / std::sqrt(square));
    }
    return logits;
  }

 private:
  [[nodiscard]] double inverse_deviation(std::int32_t cluster, std::size_t at) const {
    double mean = 0;
    double count = 0;
    for (std::size_t token = 0; token < labels_.size(); ++token) {
      mean += labels_[token] == cluster ? double{tokens_.hidden(token, at)} : 0.0;
      count += labels_[token] == cluster ? 1 : 0;
    }
    mean /= count;
    double deviation = 0;
    for (std::size_t token = 0; token < labels_.size(); ++token) {
      deviation +=
          labels_[token] == cluster ? std::abs(double{tokens_.hidden(token, at)} - mean) : 0.0;
    }
    return 1.0 / (deviation / count + 1e-4);
  }

  void normalise(const std::vector<std::size_t>& counted) {
    double mean = 0;
    for (const std::size_t cluster : counted) {
      for (const double weight : weights_.row(cluster)) {
        mean += weight / static_cast<double>(counted.size() * weights_.columns());
      }
    }
    const bool is_language = tokens_.test.mode != "swin";
    for (std::size_t at = 0; at < weights_.columns(); ++at) {
      double column = 0;
      for (const std::size_t cluster : counted) {
        weights_(cluster, at) = std::min(weights_(cluster, at), (is_language ? 10 : 1.5) * mean);
        column += weights_(cluster, at) / static_cast<double>(counted.size());
      }
      for (const std::size_t cluster : counted) {
        weights_(cluster, at) /= is_language ? column : mean;
      }
    }
  }

  const ClusteredTokens& tokens_;
  std::vector<std::int32_t> labels_;
  Matrix<double> weights_;
};

TEST(ClusteredGate, IsWithinRoundingOfTheDefinition) {
  for (const ClusteredCase& test : {ClusteredCase{400, 64, 8, 2, "language"},
                                    ClusteredCase{500, 352, 16, 2, "language"},
                                    ClusteredCase{1500, 96, 64, 2, "swin"},
                                    ClusteredCase{200, 4096, 8, 2, "language"}}) {
    const ClusteredTokens tokens(test);
    const Float64Clusters judge(tokens);
    const RoutingDecision got = tokens.route("cpu");
    const Matrix<float> weights =
        cluster_weights(tokens.hidden.view(),
                        tokens.labels(),
                        test.experts,
                        {.normalisation = test.mode == "swin" ? ClusterNormalisation::Swin
                                                              : ClusterNormalisation::Language});
    for (std::size_t at = 0; at < weights.values().size(); ++at) {
      // A hundred roundings of a float; ACM-2 asks for 1e-3.
      ASSERT_NEAR(double{weights.values()[at]} / judge.weights().values()[at], 1.0, 6e-6)
          << test.name();
    }
    for (std::size_t token = 0; token < test.tokens; ++token) {
      std::vector<double> logits = judge.logits(token);
      const double of_first = logits.at(static_cast<std::size_t>(got.expert_ids(token, 0)));
      const double of_second = logits.at(static_cast<std::size_t>(got.expert_ids(token, 1)));
      std::ranges::sort(logits, std::greater<>());
      // A logit has the size of a token: a few roundings of that.
      const double rounding = 1e-6 * std::sqrt(static_cast<double>(test.width));
      EXPECT_NEAR(of_first, logits[0], rounding) << test.name() << " token " << token;
      EXPECT_NEAR(of_second, logits[1], rounding) << test.name() << " token " << token;
      const double share = 1.0 / (1.0 + std::exp(of_second - of_first));
      EXPECT_NEAR(got.weights(token, 0), share, rounding) << test.name() << " token " << token;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         ClusteredGateOnDevices,
                         testing::ValuesIn(clustered_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
