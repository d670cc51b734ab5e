// Bad input of schedules, overlaps, passes and parallel groups: what the user reads.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/replay/simulation.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::small_routing;

// 8 ranks on 8 GPUs unless the changes say otherwise.
SimulationResult run(const json& changes, const testing::SmallTrace& shape = {}) {
  json document = {
      {"topology", "dgx_h100_8"}, {"model", {{"expert_hidden", 512}}}, {"network", "bound"}};
  document.merge_patch(changes);
  return simulate(load_scenario(document, {"test", "#"}, small_routing(shape)));
}

struct Refused {
  json changes;
  std::string words;
};

void expect_refused(const std::vector<Refused>& cases) {
  for (const Refused& refused : cases) {
    SCOPED_TRACE(refused.changes.dump());
    expect_error<InvalidInput>([&] { (void)run(refused.changes); }, refused.words);
  }
}

TEST(ScheduleOptions, SuggestTheNearestName) {
  expect_refused({
      {{{"schedule", "two_all_to_al"}}, "did you mean \"two_all_to_all\"?"},
      {{{"schedule", "two_all_to_al"}}, "test#/schedule/name"},
      {{{"overlap", "chunkd"}}, "did you mean \"chunked\"?"},
      {{{"pass", "trainig"}}, "did you mean \"training\"?"},
      {{{"pass", "trainig"}}, R"(["forward","backward","training"])"},
      {{{"parallel", {{"tensr", 2}}}}, "did you mean \"tensor\"?"},
      {{{"overlap", {{"name", "chunked"}, {"degre", 2}}}}, "did you mean \"degree\"?"},
      {{{"schedule", {{"name", "merged_experts"}, {"segmnt", 2}}}}, "did you mean \"segment\"?"},
  });
}

TEST(ScheduleOptions, RefuseNumbersOutOfRange) {
  expect_refused({
      {{{"schedule", {{"name", "merged_experts"}, {"segment", 0}}}}, "0 is out of range"},
      {{{"overlap", {{"name", "chunked"}, {"degree", 0}}}}, "0 is out of range"},
      {{{"overlap", {{"name", "chunked"}, {"degree", 65}}}}, "allowed: 1 to 64"},
      {{{"overlap", {{"name", "fused"}, {"factor", 1.5}}}}, "1.5 is out of range"},
      {{{"overlap", {{"name", "fused"}, {"factor", "much"}}}}, "test#/overlap/factor"},
      {{{"parallel", {{"tensor", 0}}}}, "test#/parallel/tensor: 0 is out of range"},
      {{{"parallel", {{"micro_batches", 1.5}}}}, "test#/parallel/micro_batches"},
      {{{"parallel", {{"gradient_overlap", 2}}}}, "2 is out of range"},
      {{{"parallel", {{"dense_gradients", 5}}}}, "5 has no unit"},
      {{{"parallel", {{"layer_allreduce", "5GB/s"}}}}, "test#/parallel/layer_allreduce"},
      {{{"compute", {{"attention_per_token", 5}}}}, "5 has no unit"},
      {{{"compute", {{"other_per_token", "-5ns"}}}}, "not a possible duration"},
  });
}

TEST(ScheduleOptions, RefuseGroupsThatDoNotFit) {
  expect_refused({
      {{{"parallel", {{"tensor", 3}}}}, "tensor-parallel groups of 3 do not divide the 8 ranks"},
      {{{"ranks", 8}, {"parallel", {{"data", 2}}}},
       "8 ranks x 2 data x 1 pipeline = 16 GPUs, but the topology has 8"},
      {{{"ranks", 4}, {"parallel", {{"pipeline", 3}}}},
       "4 ranks x 1 data x 3 pipeline = 12 GPUs, but the topology has 8"},
  });
}

TEST(ScheduleOptions, RefuseCombinationsWithTheReason) {
  const json limited = {{"capacity", {{"name", "drop"}, {"factor", 4}}},
                        {"schedule", "context_coherent"}};
  expect_refused({
      {limited, "a schedule that moves tokens cannot be combined with a capacity limit"},
      {limited, "set capacity to dropless"},
      {{{"schedule", "tensor_gather"}}, "but parallel.tensor is 1"},
      {{{"schedule", "tensor_gather"}}, "--set parallel.tensor=8"},
  });
  expect_error<MissingCapability>(
      [] {
        (void)run({{"schedule", "tensor_gather"},
                   {"parallel", {{"tensor", 4}}},
                   {"capacity", {{"name", "drop_and_pad"}, {"factor", 4}}}});
      },
      "capacity dropless or drop");
}

// Counts do not say what a token does.
TEST(ScheduleOptions, SayWhichFidelityASchedulerNeeds) {
  ExpertLoad load;
  load.metadata.model = {.hidden = 1024, .experts = 16, .top_k = 2, .layers = 1, .dtype = "bf16"};
  load.rows = {{.step = 0, .layer = 0, .source_rank = -1}};
  load.counts = Matrix<std::int64_t>(1, 16, 5);
  const auto simulate_counts = [&](const json& changes) {
    json document = {{"topology", "dgx_h100_8"}, {"model", {{"expert_hidden", 512}}}};
    document.merge_patch(changes);
    return simulate(
        load_scenario(document, {"test", "#"}, std::make_shared<const RoutingData>(load)));
  };
  for (const char* schedule : {"sharded_experts", "local_experts", "merged_experts"}) {
    expect_error<MissingCapability>(
        [&] {
          (void)simulate_counts({{"schedule", schedule}});
        },
        "needs L1 (counts per source rank and expert); the routing file holds L0");
  }
  expect_error<MissingCapability>(
      [&] {
        (void)simulate_counts({{"schedule", "context_coherent"}});
      },
      "a schedule that moves tokens needs L2 (expert ids per token)");
  load.rows[0].source_rank = 3;
  expect_error<MissingCapability>(
      [&] {
        (void)simulate_counts({{"schedule", "sharded_experts"}});
      },
      "sharding experts needs the number of tokens that start on each rank");
}

TEST(ScheduleOptions, RefuseTokensThatCannotBeFollowed) {
  TraceColumns columns;
  columns.chunks = {{0, 0, 0, 0, 2}, {0, 1, 0, 2, 3}};
  columns.expert_ids = {0, 1, 0, 1, 1};
  TraceMetadata metadata;
  metadata.model = {.hidden = 8, .experts = 8, .top_k = 1, .layers = 2, .dtype = "bf16"};
  const auto routing = std::make_shared<const RoutingData>(
      RoutingTrace::from_columns(metadata, std::move(columns), {"t", ""}));
  expect_error<InvalidInput>(
      [&] {
        (void)simulate(load_scenario({{"topology", "dgx_h100_8"},
                                      {"model", {{"expert_hidden", 512}}},
                                      {"schedule", "context_coherent"}},
                                     {"test", "#"},
                                     routing));
      },
      "step 0 has 2 tokens at layer 0 but 3 at layer 1");
}

}  // namespace
}  // namespace switchyard
