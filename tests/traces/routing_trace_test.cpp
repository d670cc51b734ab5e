#include "traces/routing_trace.hpp"

#include <ostream>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/small_traces.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/expert_load.hpp"
#include "traces/files/half_precision.hpp"
#include "traces/files/safetensors.hpp"
#include "traces/files/trace_file.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::random_columns;
using testing::random_trace;
using testing::RandomTraceShape;
using testing::small_columns;
using testing::small_metadata;
using testing::small_trace;
using testing::TemporaryFolder;

// Every row of both, in chunk order, whatever their types.
void expect_same_rows(const RoutingTrace& a, const RoutingTrace& b) {
  ASSERT_EQ(a.chunks().size(), b.chunks().size());
  for (std::size_t i = 0; i < a.chunks().size(); ++i) {
    EXPECT_EQ(a.chunks()[i], b.chunks()[i]);
    const TraceColumns left = copy_rows(a, a.chunks()[i]);
    const TraceColumns right = copy_rows(b, b.chunks()[i]);
    EXPECT_EQ(left.expert_ids, right.expert_ids);
    EXPECT_EQ(left.gate_weights, right.gate_weights);
    EXPECT_EQ(left.logits, right.logits);
    EXPECT_EQ(left.token_ids, right.token_ids);
    EXPECT_EQ(left.sequence_ids, right.sequence_ids);
    EXPECT_EQ(left.modality, right.modality);
    EXPECT_EQ(left.alive, right.alive);
    EXPECT_EQ(left.precision, right.precision);
  }
}

TEST(RoutingTrace, KnowsItsShape) {
  const RoutingTrace trace = small_trace();
  EXPECT_EQ(trace.row_count(), 6U);
  EXPECT_EQ(trace.top_k(), 2U);
  EXPECT_EQ(trace.expert_count(), 4U);
  EXPECT_EQ(trace.source_rank_count(), 0U);
  EXPECT_EQ(trace.fidelity(), Fidelity::Weights);
  ASSERT_EQ(trace.step_layers().size(), 2U);
  EXPECT_EQ(trace.step_layers()[1].layer, 1);
  EXPECT_EQ(trace.expert_ids(trace.chunks()[0]).at(2, 1), kNoExpert);
  EXPECT_EQ(trace.gate_weights(trace.chunks()[1])->at(1, 0), 0.9F);
}

TEST(RoutingTrace, GroupsChunksByStepAndLayerWhateverTheirOrder) {
  TraceColumns columns = small_columns();
  columns.chunks = {{1, 0, 1, 0, 1}, {0, 3, 0, 1, 2}, {1, 0, 0, 3, 3}};
  const RoutingTrace trace = RoutingTrace::from_columns(small_metadata(), columns);
  ASSERT_EQ(trace.step_layers().size(), 2U);
  EXPECT_EQ(trace.step_layers()[0].step, 0);
  EXPECT_EQ(trace.step_layers()[1].chunks, (std::vector<std::size_t>{2, 0}));
  EXPECT_EQ(trace.source_rank_count(), 2U);
}

TEST(RoutingTrace, SurvivesWritingAndOpening) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.safetensors";
  TraceColumns columns = small_columns();
  columns.token_ids = {1, 2, 3, -4, 1LL << 40U, 6};
  columns.modality = {0, 1, 0, 1, 0, 1};
  columns.alive = {1, 1, 0, 1, 1, 1};
  columns.precision = {8, 8, 8, 16, 16, 16};
  const RoutingTrace original = RoutingTrace::from_columns(small_metadata(), columns);
  write_trace(original, path, false);
  const RoutingTrace opened = RoutingTrace::open(path);
  EXPECT_EQ(opened.metadata(), original.metadata());
  EXPECT_EQ(opened.expert_ids(opened.chunks()[0]).type(), ExpertIds::Type::U8);
  expect_same_rows(original, opened);
}

RC_GTEST_PROP(RoutingTrace, IsTheSameAfterWritingAndOpening, ()) {
  RandomTraceShape shape;
  shape.steps = *rc::gen::inRange<std::int64_t>(1, 4);
  shape.layers = *rc::gen::inRange<std::int64_t>(1, 4);
  shape.ranks = *rc::gen::inRange<std::int64_t>(0, 4);
  shape.tokens = *rc::gen::inRange<std::int64_t>(1, 30);
  shape.experts = *rc::gen::element<std::int64_t>(2, 255, 256, 300, 65535, 65536);
  shape.top_k = *rc::gen::inRange<std::int64_t>(1, 3);
  shape.has_weights = *rc::gen::arbitrary<bool>();
  shape.has_logits = shape.experts < 300 && *rc::gen::arbitrary<bool>();
  shape.has_sequences = *rc::gen::arbitrary<bool>();
  const RoutingTrace original = random_trace(shape, *rc::gen::arbitrary<std::uint64_t>());
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.safetensors";
  write_trace(original, path, false);
  const RoutingTrace opened = RoutingTrace::open(path);
  RC_ASSERT(opened.metadata() == original.metadata());
  opened.check_rows();
  expect_same_rows(original, opened);
  RC_ASSERT(!::testing::Test::HasFailure());
}

TEST(RoutingTrace, MayBeReadAgainAfterRelease) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.safetensors";
  RandomTraceShape shape;
  shape.tokens = 20000;
  const RoutingTrace original = random_trace(shape, 3);
  write_trace(original, path, false);
  const RoutingTrace opened = RoutingTrace::open(path);
  for (const Chunk& chunk : opened.chunks()) {
    opened.release(chunk);
  }
  expect_same_rows(original, opened);
}

TEST(RoutingTrace, ReadsHalfPrecisionWeights) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.safetensors";
  const std::vector<std::int64_t> chunks{0, 0, -1, 0, 2};
  const std::vector<std::uint16_t> ids{1, 0xFFFF};
  const std::vector<std::uint16_t> weights{bf16_from_float(0.625F), bf16_from_float(0)};
  write_safetensors(
      path,
      false,
      {{{"chunks", TensorType::I64, {1, 5}}, std::as_bytes(std::span(chunks))},
       {{"expert_ids", TensorType::U16, {2, 1}}, std::as_bytes(std::span(ids))},
       {{"gate_weights", TensorType::BF16, {2, 1}}, std::as_bytes(std::span(weights))}},
      {{"format_version", "1"}, {"experts", "4"}});
  const RoutingTrace trace = RoutingTrace::open(path);
  EXPECT_EQ(trace.gate_weights(trace.chunks()[0])->at(0, 0), 0.625F);
  EXPECT_EQ(trace.expert_ids(trace.chunks()[0]).at(1, 0), kNoExpert);
}

struct BadChunks {
  const char* why;
  std::vector<Chunk> chunks;
  const char* words;
};

std::ostream& operator<<(std::ostream& out, const BadChunks& bad) {
  return out << bad.why;
}

class RoutingTraceRefuses : public ::testing::TestWithParam<BadChunks> {};

TEST_P(RoutingTraceRefuses, ChunksThatCannotBe) {
  TraceColumns columns = small_columns();
  columns.chunks = GetParam().chunks;
  expect_error<InvalidInput>(
      [&columns] {
        (void)RoutingTrace::from_columns(small_metadata(), columns, {"x", ""});
      },
      GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    RoutingTraceRefuses,
    ::testing::Values(
        BadChunks{"rows outside", {{0, 0, -1, 0, 3}, {0, 1, -1, 4, 3}}, "outside the 6 rows"},
        BadChunks{"rows missing", {{0, 0, -1, 0, 3}}, "6 values for 3 rows"},
        BadChunks{"overlap", {{0, 0, -1, 0, 3}, {0, 1, -1, 2, 3}}, "row 2 belongs to two chunks"},
        BadChunks{"twice", {{0, 0, -1, 0, 3}, {0, 0, -1, 3, 3}}, "layer 0 appears in two chunks"},
        BadChunks{"negative", {{-1, 0, -1, 0, 3}, {0, 1, -1, 3, 3}}, "step -1"},
        BadChunks{"huge rank", {{0, 0, 1 << 30, 0, 3}, {0, 1, 0, 3, 3}}, "cannot be"},
        BadChunks{"mixed", {{0, 0, 0, 0, 3}, {0, 1, -1, 3, 3}}, "either every chunk names"},
        BadChunks{"none", {}, "no tokens"}),
    [](const auto& test) {
      std::string name = test.param.why;
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

TEST(RoutingTrace, RefusesColumnsOfDifferentLengths) {
  TraceColumns columns = small_columns();
  columns.sequence_ids.pop_back();
  expect_error<InvalidInput>(
      [&columns] { (void)RoutingTrace::from_columns(small_metadata(), columns); },
      "sequence_ids has 5 values for 6 rows");
  columns = small_columns();
  columns.gate_weights.resize(6);
  expect_error<InvalidInput>(
      [&columns] { (void)RoutingTrace::from_columns(small_metadata(), columns); },
      "should have 2 columns");
}

TEST(RoutingTrace, NamesTheRowOfAnExpertThatCannotBe) {
  TraceColumns columns = small_columns();
  columns.expert_ids[9] = 4;
  const RoutingTrace trace = RoutingTrace::from_columns(small_metadata(), columns, {"x", ""});
  expect_error<InvalidInput>([&trace] { trace.check_rows(); },
                             "x: row 4 (step 0, layer 1, token 1 of its chunk): expert id 4 is "
                             "outside 0 to 3");
  expect_error<InvalidInput>([&trace] { (void)count_selections(trace, false); }, "expert id 4");
  const TemporaryFolder folder;
  expect_error<InvalidInput>([&] { write_trace(trace, folder.path() / "t.safetensors", false); },
                             "expert id 4");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(RoutingTrace, RefusesAnExpertTwiceInAToken) {
  TraceColumns columns = small_columns();
  columns.expert_ids[6] = 0;
  const RoutingTrace trace = RoutingTrace::from_columns(small_metadata(), columns, {"x", ""});
  expect_error<InvalidInput>([&trace] { trace.check_rows(); }, "expert 0 twice in one token");
}

TEST(RoutingTrace, RefusesWeightsThatAreNoNumbers) {
  TraceColumns columns = small_columns();
  columns.gate_weights[3] = std::numeric_limits<float>::quiet_NaN();
  const RoutingTrace trace = RoutingTrace::from_columns(small_metadata(), columns, {"x", ""});
  expect_error<InvalidInput>([&trace] { trace.check_rows(); }, "gate_weights holds nan");
}

TEST(ExpertLoad, CountsEverySelectionOnce) {
  const ExpertLoad load = count_selections(small_trace(), false);
  EXPECT_EQ(load.fidelity(), Fidelity::Counts);
  ASSERT_EQ(load.rows.size(), 2U);
  EXPECT_EQ(std::vector<std::int64_t>(load.counts.row(0).begin(), load.counts.row(0).end()),
            (std::vector<std::int64_t>{1, 2, 1, 1}));
  EXPECT_EQ(std::vector<std::int64_t>(load.counts.row(1).begin(), load.counts.row(1).end()),
            (std::vector<std::int64_t>{1, 1, 3, 1}));
}

TEST(ExpertLoad, ByRankAddsUpToTheSum) {
  RandomTraceShape shape;
  shape.ranks = 3;
  const RoutingTrace trace = random_trace(shape, 11);
  const ExpertLoad by_rank = count_selections(trace, true);
  const ExpertLoad summed = count_selections(trace, false);
  EXPECT_EQ(by_rank.fidelity(), Fidelity::CountsPerRank);
  EXPECT_EQ(by_rank.rows.size(), 3 * summed.rows.size());
  for (std::size_t i = 0; i < summed.rows.size(); ++i) {
    for (std::size_t expert = 0; expert < 8; ++expert) {
      EXPECT_EQ(summed.counts(i, expert),
                by_rank.counts(3 * i, expert) + by_rank.counts(3 * i + 1, expert) +
                    by_rank.counts(3 * i + 2, expert));
    }
  }
}

TEST(ExpertLoad, SurvivesWritingAndOpening) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "load.safetensors";
  const ExpertLoad original = count_selections(small_trace(), false);
  write_load(original, path, false);
  const RoutingData opened = open_routing(path);
  const auto& load = std::get<ExpertLoad>(opened);
  EXPECT_EQ(load.rows, original.rows);
  EXPECT_EQ(load.counts, original.counts);
  EXPECT_EQ(load.metadata, original.metadata);
  EXPECT_EQ(fidelity_of(opened), Fidelity::Counts);
}

TEST(ExpertLoad, RefusesNegativeCountsAndRowsOutOfOrder) {
  ExpertLoad load = count_selections(small_trace(), false);
  load.counts(1, 2) = -1;
  expect_error<InvalidInput>([&load] { check_load(load); }, "a count of -1");
  load.counts(1, 2) = 1;
  load.rows[1] = load.rows[0];
  expect_error<InvalidInput>([&load] { check_load(load); }, "comes twice");
}

TEST(TraceFile, SendsForeignFilesToImport) {
  const TemporaryFolder folder;
  const auto csv = folder.write("x.csv", "layer,e0,e1\n0,1,2\n");
  expect_error<InvalidInput>([&csv] { (void)open_routing(csv); }, "switchyard import");
  expect_error<InvalidInput>([&folder] { (void)open_routing(folder.path()); }, "switchyard import");
  expect_error<InvalidInput>([&folder] { (void)open_routing(folder.path() / "none"); },
                             "No such file");
}

TEST(Fidelity, RefusesWhatTheFileCannotGive) {
  expect_error<MissingCapability>(
      [] { require_fidelity(Fidelity::Counts, Fidelity::Ids, "de-duplication of tokens"); },
      "de-duplication of tokens needs L2 (expert ids per token); the routing file holds L0");
  EXPECT_NO_THROW(require_fidelity(Fidelity::Weights, Fidelity::Ids, "x"));
}

}  // namespace
}  // namespace switchyard
