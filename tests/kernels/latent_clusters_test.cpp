// The generator does what its parameters say.
#include <cmath>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "core/numbers/statistics.hpp"
#include "kernels/route_workload.hpp"
#include "tests/kernels/router_fixture.hpp"
#include "tests/support/folders.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {
namespace {

Matrix<float> states(const Workload& workload, std::size_t step, std::size_t layers) {
  Matrix<float> hidden(workload.token_count(0), workload.shape().hidden);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    workload.fill_hidden(
        {.step = step, .layer = layer, .rank = 0}, hidden.view(), [](auto, auto) {});
  }
  return hidden;
}

double correlation(std::span<const float> a, std::span<const float> b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t at = 0; at < a.size(); ++at) {
    ab += double{a[at]} * double{b[at]};
    aa += double{a[at]} * double{a[at]};
    bb += double{b[at]} * double{b[at]};
  }
  return ab / std::sqrt(aa * bb);
}

/// Mean imbalance of the layers when top-2 of 32 experts routes the workload.
double mean_imbalance(nlohmann::json values) {
  values.update({{"experts", 32}, {"ranks", 4}, {"tokens", 1000}, {"hidden", 128}});
  const auto workload = make_workload("latent_clusters", values);
  const auto router = make_router("top_k");
  const ExpertLoad load = count_selections(
      route_workload(
          {.workload = *workload, .router = *router, .router_name = "", .router_parameters = ""}),
      false);
  double sum = 0;
  for (std::size_t row = 0; row < load.rows.size(); ++row) {
    const auto counts = load.counts.row(row);
    sum += imbalance(std::vector<double>(counts.begin(), counts.end()));
  }
  return sum / static_cast<double>(load.rows.size());
}

TEST(LatentClusters, HaveUnitNoiseWhenNothingElseIsAskedFor) {
  const auto workload = make_workload(
      "latent_clusters",
      {{"topics", 1}, {"common", 0}, {"tight_fraction", 0}, {"spread", 2}, {"tokens", 2000}});
  const Matrix<float> hidden = states(*workload, 0, 1);
  // Deviation of each coordinate from its mean over tokens (the centroid).
  double variance = 0;
  for (std::size_t at = 0; at < hidden.columns(); ++at) {
    double mean = 0;
    for (std::size_t token = 0; token < hidden.rows(); ++token) {
      mean += double{hidden(token, at)} / 2000;
    }
    for (std::size_t token = 0; token < hidden.rows(); ++token) {
      variance += std::pow(double{hidden(token, at)} - mean, 2) / 2000 / 256;
    }
  }
  // 512,000 samples: the standard error of the variance is 4 * sqrt(2 / 512000) = 0.008.
  EXPECT_NEAR(variance, 4.0, 0.05);
}

TEST(LatentClusters, KeepThePartOfATokenThatTheAffinitySays) {
  const nlohmann::json values{{"topics", 1}, {"common", 0}, {"hidden", 4096}, {"tokens", 2}};
  for (const double affinity : {0.0, 0.5, 1.0}) {
    nlohmann::json asked = values;
    asked["layer_affinity"] = affinity;
    const auto workload = make_workload("latent_clusters", asked);
    Matrix<float> first = states(*workload, 0, 1);
    Matrix<float> second = states(*workload, 0, 2);
    for (std::size_t at = 0; at < 4096; ++at) {  // the difference of two tokens has no centroid
      first(0, at) -= first(1, at);
      second(0, at) -= second(1, at);
    }
    // 4096 coordinates of unequal width: standard error below 0.03.
    EXPECT_NEAR(correlation(first.row(0), second.row(0)), affinity, 0.1);
  }
}

TEST(LatentClusters, AreMoreUnevenTheSteeperTheirPopularity) {
  const double flat = mean_imbalance({{"zipf", 0}, {"common", 0}});
  const double usual = mean_imbalance({{"zipf", 0.8}, {"common", 0}});
  const double steep = mean_imbalance({{"zipf", 2}, {"common", 0}});
  EXPECT_LT(flat, usual);
  EXPECT_LT(usual, steep);
}

TEST(LatentClusters, RouteWithTheImbalanceOfRealTraces) {
  const double usual = mean_imbalance({});
  EXPECT_GT(usual, 2.0);
  EXPECT_LT(usual, 5.0);
}

TEST(SampleTrace, IsRoutedLikeARealOne) {
  const std::filesystem::path path = testing::source_folder() / "traces/samples/demo.safetensors";
  EXPECT_LE(std::filesystem::file_size(path), 300'000U);
  const RoutingTrace trace = RoutingTrace::open(path);
  trace.check_rows();
  EXPECT_EQ(trace.expert_count(), 64U);
  EXPECT_EQ(trace.top_k(), 6U);
  EXPECT_EQ(trace.source_rank_count(), 16U);
  const ExpertLoad load = count_selections(trace, false);
  double mean = 0;
  for (std::size_t row = 0; row < load.rows.size(); ++row) {
    const auto counts = load.counts.row(row);
    mean += imbalance(std::vector<double>(counts.begin(), counts.end())) /
            static_cast<double>(load.rows.size());
  }
  EXPECT_GT(mean, 2.0);
  EXPECT_LT(mean, 5.0);
}

TEST(LatentClusters, DriftFromStepToStepOnlyIfTold) {
  const auto topics_of = [](double drift, std::size_t step) {
    const auto workload = make_workload("latent_clusters",
                                        {{"steps", 50},
                                         {"drift", drift},
                                         {"topics", 4},
                                         {"persistence", 0},
                                         {"hidden", 8},
                                         {"tokens", 20000},
                                         {"common", 0},
                                         {"spread", 0}});
    const Matrix<float> hidden = states(*workload, step, 1);
    std::map<float, double> share;  // without spread a state is its topic's centroid
    for (std::size_t token = 0; token < hidden.rows(); ++token) {
      share[hidden(token, 0)] += 1.0 / 20000;
    }
    return share;
  };
  const auto still = topics_of(0, 0);
  const auto still_later = topics_of(0, 40);
  const auto moved = topics_of(0.5, 40);
  double change = 0;
  for (const auto& [centroid, share] : still) {
    EXPECT_NEAR(still_later.at(centroid), share, 0.02);  // 5 standard errors of 20,000 draws
    change =
        std::max(change, std::fabs((moved.contains(centroid) ? moved.at(centroid) : 0) - share));
  }
  EXPECT_GT(change, 0.1);
}

TEST(LatentClusters, KeepATopicAlongASequence) {
  const auto runs_of = [](double persistence) {
    const auto workload = make_workload("latent_clusters",
                                        {{"persistence", persistence},
                                         {"tokens", 10000},
                                         {"sequence_length", 10000},
                                         {"hidden", 4},
                                         {"zipf", 0},
                                         {"spread", 0}});
    const Matrix<float> hidden = states(*workload, 0, 1);
    std::size_t runs = 1;
    for (std::size_t token = 1; token < hidden.rows(); ++token) {
      runs += hidden(token, 0) == hidden(token - 1, 0) ? 0 : 1;
    }
    return static_cast<double>(runs);
  };
  // A new topic is drawn with probability 0.1 and differs from the old one with 63/64: 984 +- 30.
  EXPECT_NEAR(runs_of(0.9), 984, 150);
  EXPECT_NEAR(runs_of(0.0), 9844, 100);
}

TEST(LatentClusters, MarkTheAskedShareOfSequencesAsImages) {
  const auto workload = make_workload(
      "latent_clusters", {{"image_fraction", 0.25}, {"tokens", 4000}, {"sequence_length", 1}});
  const WorkloadTokens tokens = workload->tokens(0, 0);
  double images = 0;
  for (const std::uint8_t modality : tokens.modality) {
    images += modality;
  }
  EXPECT_NEAR(images / 4000, 0.25, 0.04);  // 5 standard errors
}

TEST(LatentClusters, MakeGateRowsAsAlikeAsAsked) {
  for (const double similarity : {0.0, 0.6, 1.0}) {
    const auto workload = make_workload(
        "latent_clusters", {{"hidden", 8192}, {"topics", 1}, {"gate_similarity", similarity}});
    const Matrix<float> gate = workload->gate(0);
    EXPECT_NEAR(correlation(gate.row(0), gate.row(1)), similarity, 0.05);  // 4.5 / sqrt(8192)
  }
}

}  // namespace
}  // namespace switchyard
