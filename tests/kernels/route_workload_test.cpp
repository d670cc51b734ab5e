// From workload to trace: the same in memory, in a file, and on any number of threads.
#include "kernels/route_workload.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <omp.h>

#include "kernels/stages/gate_projection.hpp"
#include "kernels/stages/grouped_pooling.hpp"
#include "tests/kernels/router_fixture.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/files/safetensors.hpp"

namespace switchyard {
namespace {

const nlohmann::json kSmall{{"steps", 2},
                            {"layers", 3},
                            {"ranks", 4},
                            {"tokens", 100},
                            {"sequence_length", 40},
                            {"hidden", 64},
                            {"experts", 16},
                            {"topics", 8}};

RoutingTrace route(const nlohmann::json& workload_values, const nlohmann::json& router_values) {
  const auto workload = make_workload("latent_clusters", workload_values);
  const auto router = make_router("top_k", router_values);
  return route_workload({.workload = *workload,
                         .router = *router,
                         .router_name = "top_k",
                         .router_parameters = router_values.dump()});
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_matrix(SafetensorsWriter& writer, const std::string& name, const Matrix<float>& values) {
  writer.append_values(name, values.values());
}

TEST(RouteWorkload, GivesEachPlaceItsChunk) {
  const RoutingTrace trace = route(kSmall, {{"k", 2}});
  EXPECT_EQ(trace.step_layers().size(), 6U);
  EXPECT_EQ(trace.source_rank_count(), 4U);
  EXPECT_EQ(trace.row_count(), 2U * 3U * 4U * 100U);
  EXPECT_EQ(trace.expert_count(), 16U);
  EXPECT_EQ(trace.metadata().router, "top_k");
  EXPECT_EQ(trace.fidelity(), Fidelity::Weights);
  trace.check_rows();
  for (const Chunk& chunk : trace.chunks()) {
    EXPECT_EQ(trace.sequence_ids(chunk)->size(), 100U);
  }
}

TEST(RouteWorkload, WritesTheTraceItWouldReturn) {
  const testing::TemporaryFolder folder;
  const auto workload = make_workload("latent_clusters", kSmall);
  const auto router = make_router("top_k", {{"k", 2}});
  const RouteRequest request{.workload = *workload,
                             .router = *router,
                             .router_name = "top_k",
                             .router_parameters = R"({"k":2})",
                             .keeps_logits = true};
  route_workload_to_file(request, folder.path() / "a.safetensors", false);
  const RoutingTrace written = RoutingTrace::open(folder.path() / "a.safetensors");
  const RoutingTrace made = route_workload(request);
  ASSERT_TRUE(std::ranges::equal(made.chunks(), written.chunks()));
  EXPECT_EQ(made.metadata(), written.metadata());
  for (const Chunk& chunk : made.chunks()) {
    for (std::size_t row = 0; row < 100; ++row) {
      for (std::size_t choice = 0; choice < 2; ++choice) {
        ASSERT_EQ(made.expert_ids(chunk).at(row, choice),
                  written.expert_ids(chunk).at(row, choice));
        ASSERT_EQ(made.gate_weights(chunk)->at(row, choice),
                  written.gate_weights(chunk)->at(row, choice));
      }
      ASSERT_EQ(made.logits(chunk)->at(row, 5), written.logits(chunk)->at(row, 5));
    }
  }
}

TEST(RouteWorkload, WritesTheSameBytesOnAnyNumberOfThreads) {
  const testing::TemporaryFolder folder;
  nlohmann::json values = kSmall;
  values["tokens"] = 700;
  const auto workload = make_workload("latent_clusters", values);
  const auto router = make_router("noisy_top_k");
  const RouteRequest request{.workload = *workload,
                             .router = *router,
                             .router_name = "noisy_top_k",
                             .router_parameters = "{}"};
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  route_workload_to_file(request, folder.path() / "one.safetensors", false);
  omp_set_num_threads(4);
  route_workload_to_file(request, folder.path() / "four.safetensors", false);
  omp_set_num_threads(threads);
  EXPECT_EQ(bytes_of(folder.path() / "one.safetensors"),
            bytes_of(folder.path() / "four.safetensors"));
}

TEST(RouteWorkload, RefusesAModelTooSmallForTheRouter) {
  EXPECT_THROW(route(kSmall, {{"k", 17}}), InvalidInput);
}

TEST(RouteWorkload, KeepsAnExistingFileUnlessTold) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "old.safetensors";
  std::ofstream(path) << "old";
  const auto workload = make_workload("latent_clusters", kSmall);
  const auto router = make_router("top_k");
  const RouteRequest request{
      .workload = *workload, .router = *router, .router_name = "top_k", .router_parameters = "{}"};
  EXPECT_THROW(route_workload_to_file(request, path, false), InvalidInput);
  EXPECT_EQ(bytes_of(path), "old");
  route_workload_to_file(request, path, true);
  EXPECT_EQ(RoutingTrace::open(path).row_count(), 2400U);
}

class OwnTensors : public ::testing::Test {
 protected:
  /// Ten tokens of width 8 for two layers; 4 experts. Layer 10 must come after layer 9.
  void write(const Matrix<float>& first, const Matrix<float>& second) {
    const std::vector<TensorSpec> specs{
        {"layers.10.gate", TensorType::F32, {second.rows(), second.columns()}},
        {"layers.9.gate", TensorType::F32, {first.rows(), first.columns()}}};
    SafetensorsWriter gates(gate_path(), true, specs, {});
    write_matrix(gates, "layers.10.gate", second);
    write_matrix(gates, "layers.9.gate", first);
    gates.commit();
    SafetensorsWriter states(
        hidden_path(), true, {{"x", TensorType::F32, {hidden_.rows(), hidden_.columns()}}}, {});
    write_matrix(states, "x", hidden_);
    states.commit();
  }

  std::filesystem::path gate_path() { return folder_.path() / "w.safetensors"; }

  std::filesystem::path hidden_path() { return folder_.path() / "x.safetensors"; }

  nlohmann::json values() {
    return {{"hidden", hidden_path().string()}, {"gate", gate_path().string()}, {"ranks", 3}};
  }

  testing::TemporaryFolder folder_;
  Matrix<float> hidden_ = normal_matrix(10, 8, 1);
};

TEST_F(OwnTensors, AreRoutedLayerByLayerAndRankByRank) {
  const Matrix<float> gates[] = {normal_matrix(4, 8, 2), normal_matrix(4, 8, 3)};
  write(gates[0], gates[1]);
  const auto workload = make_workload("tensors", values());
  const auto router = make_router("top_k", {{"k", 1}});
  const RoutingTrace trace = route_workload(
      {.workload = *workload, .router = *router, .router_name = "top_k", .router_parameters = ""});
  ASSERT_EQ(trace.chunks().size(), 6U);
  for (const Chunk& chunk : trace.chunks()) {
    const auto first = static_cast<std::size_t>(chunk.source_rank) * 10 / 3;
    for (std::size_t row = 0; row < static_cast<std::size_t>(chunk.row_count); ++row) {
      const Matrix<float>& gate = gates[chunk.layer];
      std::size_t best = 0;
      double best_logit = -1e30;
      for (std::size_t expert = 0; expert < 4; ++expert) {
        double logit = 0;
        for (std::size_t at = 0; at < 8; ++at) {
          logit += double{hidden_(first + row, at)} * double{gate(expert, at)};
        }
        best = logit > best_logit ? expert : best;
        best_logit = std::max(best_logit, logit);
      }
      EXPECT_EQ(trace.expert_ids(chunk).at(row, 0), static_cast<std::int32_t>(best));
    }
  }
}

TEST_F(OwnTensors, AreReadInHalfPrecisionToo) {
  SafetensorsWriter states(hidden_path(), true, {{"x", TensorType::BF16, {2, 2}}}, {});
  states.append_values("x",
                       std::span<const std::uint16_t>(std::vector<std::uint16_t>{
                           0x3F80, 0x0000, 0x0000, 0x4000}));  // 1, 0 / 0, 2
  states.commit();
  SafetensorsWriter gates(gate_path(), true, {{"w", TensorType::F16, {2, 2}}}, {});
  gates.append_values("w",
                      std::span<const std::uint16_t>(std::vector<std::uint16_t>{
                          0x0000, 0x3C00, 0x3C00, 0x0000}));  // 0, 1 / 1, 0
  gates.commit();
  nlohmann::json one_rank = values();
  one_rank["ranks"] = 1;
  const auto workload = make_workload("tensors", one_rank);
  const auto router = make_router("top_k", {{"k", 1}});
  const RoutingTrace trace = route_workload({.workload = *workload,
                                             .router = *router,
                                             .router_name = "top_k",
                                             .router_parameters = "",
                                             .keeps_logits = true});
  EXPECT_EQ(trace.expert_ids(trace.chunks()[0]).at(0, 0), 1);
  EXPECT_EQ(trace.expert_ids(trace.chunks()[0]).at(1, 0), 0);
  EXPECT_EQ(trace.logits(trace.chunks()[0])->at(1, 0), 2.0F);
}

TEST_F(OwnTensors, OfTheWrongShapeAreRefused) {
  write(normal_matrix(4, 8, 2), normal_matrix(5, 8, 3));
  EXPECT_THROW(make_workload("tensors", values()), InvalidInput);
  write(normal_matrix(4, 7, 2), normal_matrix(4, 7, 3));
  EXPECT_THROW(make_workload("tensors", values()), InvalidInput);
  nlohmann::json other = values();
  other["gate_name"] = "no such part";
  EXPECT_THROW(make_workload("tensors", other), InvalidInput);
  EXPECT_THROW(make_workload("tensors"), InvalidInput);
}

TEST(RouteWorkload, HearsOfEveryRowOnceAndInOrder) {
  const auto workload =
      make_workload("latent_clusters", {{"hidden", 4096}, {"tokens", 2000}, {"ranks", 1}});
  Matrix<float> hidden(2000, 4096);
  std::size_t heard = 0;
  std::size_t runs = 0;
  workload->fill_hidden(
      {.step = 0, .layer = 0, .rank = 0}, hidden.view(), [&](std::size_t first, std::size_t count) {
        EXPECT_EQ(first, heard);
        EXPECT_NE(hidden(first + count - 1, 0), 0);
        heard += count;
        ++runs;
      });
  EXPECT_EQ(heard, 2000U);
  if (omp_get_max_threads() < 8) {
    EXPECT_GT(runs, 1U);
  }
}

TEST(RouteWorkload, RecordsTheScoresThatARouterMakesForItself) {
  const auto workload = make_workload("latent_clusters", kSmall);
  const WorkloadShape shape = workload->shape();
  Matrix<float> hidden(100, shape.hidden);
  workload->fill_hidden({.step = 0, .layer = 0, .rank = 0}, hidden.view(), [](auto, auto) {});
  const auto recorded = [&](const std::string& name, const nlohmann::json& values) {
    const auto router = make_router(name, values);
    return route_workload({.workload = *workload,
                           .router = *router,
                           .router_name = name,
                           .router_parameters = values.dump(),
                           .keeps_logits = true});
  };
  const RoutingTrace cosines = recorded("etr", {{"mode", "token"}});
  const Matrix<float> affinity = grouped_affinity(std::as_const(hidden).view(), shape.experts);
  const RoutingTrace means = recorded("locmoe", nlohmann::json::object());
  const Matrix<float> block_means = grouped_means(std::as_const(hidden).view(), shape.experts);
  const auto first = cosines.chunks()[0];
  for (std::size_t token = 0; token < 100; ++token) {
    for (std::size_t expert = 0; expert < shape.experts; ++expert) {
      ASSERT_EQ(cosines.logits(first)->at(token, expert), affinity(token, expert));
      ASSERT_EQ(means.logits(means.chunks()[0])->at(token, expert), block_means(token, expert));
    }
  }
  // Clusters are no scores of a token by expert: here the gate's logits are recorded.
  const RoutingTrace clusters = recorded("ac", nlohmann::json::object());
  EXPECT_TRUE(clusters.logits(clusters.chunks()[0]).has_value());
}

}  // namespace
}  // namespace switchyard
