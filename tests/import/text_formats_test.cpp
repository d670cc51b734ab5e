// The traps of the text formats, on files small enough to check by eye.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/importing.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/reading/placement_table.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::expect_import_refused;
using testing::ids_of;
using testing::import_routing;
using testing::import_trace;
using testing::TemporaryFolder;

using Ids = std::vector<std::int32_t>;

// --- ESFT ----------------------------------------------------------------------------------------

TEST(EsftText, DeducesTopKFromRepeatedIds) {
  const TemporaryFolder folder;
  const auto file = folder.write("expert_weights_2.txt",
                                 "0\t1\t2\t0\t2\t1\t\t0.9\t0.1\t0.9\t0.1\t0.9\t0.1\n"
                                 "5\t0\t\t0.6\t0.4\n");
  const RoutingTrace trace = import_trace(file);
  EXPECT_EQ(trace.top_k(), 2U);
  EXPECT_EQ(trace.row_count(), 4U);
  EXPECT_EQ(trace.expert_count(), 6U);
  EXPECT_EQ(trace.chunks()[0].layer, 2);
  EXPECT_EQ(copy_rows(trace, trace.chunks()[0]).sequence_ids,
            (std::vector<std::int64_t>{0, 0, 0, 1}));
}

TEST(EsftText, TakesTopKFromWeightsWhenNoIdRepeats) {
  const TemporaryFolder folder;
  const auto file = folder.write("expert_weights_0.txt", "0\t1\t2\t3\t\t0.75\t0.25\t0.5\t0.5\n");
  EXPECT_EQ(import_trace(file).top_k(), 2U);
  EXPECT_EQ(import_trace(file, {{"top_k", 4}}).top_k(), 4U);
}

TEST(EsftText, ReadsWindowsLinesAndTrailingTabs) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("expert_weights_0.txt", "0\t1\t\t0.75\t0.25\t\r\n\r\n1\t0\t\t1\t0\r\n");
  EXPECT_EQ(import_trace(file).row_count(), 2U);
}

TEST(EsftText, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto file = [&folder](const std::string& text) {
    return folder.write("expert_weights_0.txt", text);
  };
  expect_import_refused(file("0\t1\t\t0.5\n"), "line 1: 2 expert ids but 1 weights");
  expect_import_refused(file("0\t1\n"), "got the end of the line");
  expect_import_refused(file("0\t1\t\t0.5\t-0.5\n"), "a gate weight below zero");
  expect_import_refused(file("0\t1\t\t0.5\tnan\n"), "wanted a number");
  expect_import_refused(file("0\t-1\t\t0.5\t0.5\n"), "wanted a whole number from 0");
  expect_import_refused(file("0\t1\t\t0.5\t0.5\n0\t0\t\t0.5\t0.5\n"),
                        "line 2: expert 0 twice in one token of 2 choices",
                        {{"top_k", 2}});
  expect_import_refused(
      file("0\t1\t2\t\t0.5\t0.5\t0.1\n"), "not a multiple of top_k = 2", {{"top_k", 2}});
  expect_import_refused(
      file("0\t9\t\t0.5\t0.5\n"), "expert id 9 is outside 0 to 3", {{"experts", 4}});
}

TEST(EsftText, RefusesGzipCutShort) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    text += fmt::format("{}\t{}\t\t0.{}\t0.25\n", i % 7, 7 + i % 11, 100 + i % 613);
  }
  const auto whole = folder.write_gzip("expert_weights_0.txt.gz", text);
  EXPECT_EQ(import_trace(whole).row_count(), 2000U);
  std::filesystem::resize_file(whole, std::filesystem::file_size(whole) / 2);
  expect_import_refused(whole, "the gzip data ends too early");
}

TEST(EsftText, RefusesTwoFilesForOneLayer) {
  const TemporaryFolder folder;
  folder.write("esft/expert_weights_0.txt", "0\t1\t\t0.5\t0.5\n");
  folder.write_gzip("esft/expert_weights_0.txt.gz", "0\t1\t\t0.5\t0.5\n");
  expect_import_refused(folder.path() / "esft", "two files have the number 0");
}

// --- CSV -----------------------------------------------------------------------------------------

TEST(TokenCsv, KeepsTokenOrderWithinLayers) {
  const TemporaryFolder folder;
  const auto file =
      folder.write_gzip("x.csv.gz", "token,layer,e0,e1\n9,1,0,1\n9,0,2,3\n4,1,3,-1\n4,0,1,0\n");
  const RoutingTrace trace = import_trace(file, {{"experts", 8}});
  EXPECT_EQ(trace.fidelity(), Fidelity::Ids);
  EXPECT_EQ(trace.expert_count(), 8U);
  EXPECT_EQ(ids_of(trace, 0), (Ids{2, 3, 1, 0}));
  EXPECT_EQ(ids_of(trace, 1), (Ids{0, 1, 3, kNoExpert}));
  EXPECT_EQ(copy_rows(trace, trace.chunks()[0]).token_ids, (std::vector<std::int64_t>{9, 4}));
}

TEST(TokenCsv, NamesTheLine) {
  const TemporaryFolder folder;
  const auto file = [&folder](const std::string& rows) {
    return folder.write("x.csv", "token,layer,e0,e1,p0,p1\n" + rows);
  };
  expect_import_refused(file("0,0,1,1,0.5,0.5\n"), "line 2: expert 1 twice in one token");
  expect_import_refused(file("0,0,1,2,0.5,0.5\n0,1,9,2,0.5,0.5\n"),
                        "line 3: wanted a whole number from -1 to 7, got \"9,2,0.5,0.5\"",
                        {{"experts", 8}});
  expect_import_refused(file("0,0,1,2,0.5\n"), "wanted ',', got the end of the line");
  expect_import_refused(file("0,0,1,2,0.5,inf\n"), "wanted a number");
  expect_import_refused(file("0,0,1,2,0.5,0.5,7\n"), "more columns than the header names");
  expect_import_refused(folder.write("y.csv", "token,layer,e0,e2\n0,0,1,2\n"), "the header is not");
}

TEST(CountCsv, ReadsWideAndLongAlike) {
  const TemporaryFolder folder;
  const auto wide = folder.write("wide.csv", "layer,e0,e1,e2\n5,1,0,7\n2,3,4,5\n");
  const auto tall =
      folder.write("long.csv", "layer,expert,count\n5,0,1\n5,2,7\n2,2,5\n2,0,3\n2,1,4\n");
  const auto a = std::get<ExpertLoad>(import_routing(wide));
  const auto b = std::get<ExpertLoad>(import_routing(tall));
  EXPECT_EQ(a.rows.front().layer, 2);
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.counts, b.counts);
  EXPECT_EQ(a.fidelity(), Fidelity::Counts);
}

TEST(CountCsv, WithRanksGivesL1) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("x.csv", "step,rank,layer,e0,e1\n0,1,0,1,2\n0,0,0,3,4\n1,0,0,5,6\n");
  const auto load = std::get<ExpertLoad>(import_routing(file));
  EXPECT_EQ(load.fidelity(), Fidelity::CountsPerRank);
  EXPECT_EQ(load.rows[1], (LoadRow{0, 0, 1}));
  EXPECT_EQ(load.counts(2, 1), 6);
}

TEST(CountCsv, RefusesCountsThatCannotBe) {
  const TemporaryFolder folder;
  const auto file = [&folder](const std::string& text) { return folder.write("x.csv", text); };
  expect_import_refused(file("layer,e0,e1\n3,4,3\n"),
                        "layer 3: the counts add up to 7, no multiple of 2 experts per token",
                        {{"top_k", 2}});
  expect_import_refused(file("layer,e0,e1\n3,4,-3\n"), "line 2: wanted a whole number from 0");
  expect_import_refused(file("layer,e0,e1\n3,4\n"), "line 2: wanted ','");
  expect_import_refused(file("layer,e0,e1\n3,4,5,6\n"), "more columns");
  expect_import_refused(file("layer,e0,e1\n3,4,5\n3,4,5\n"), "line 3: this layer comes twice");
  expect_import_refused(file("layer,expert,count\n3,1,5\n3,1,5\n"), "line 3: expert 1 comes twice");
  expect_import_refused(file("layer,e0,e1\n3,4.5,5\n"),
                        "line 2: the count of expert 0 is no whole number");
  expect_import_refused(file("layer,e0,e1\n3,4,5\n"), "outside 0 to 0", {{"experts", 1}});
}

// --- Placement tables ----------------------------------------------------------------------------

TEST(PlacementTable, IsReadByLayerAndRank) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("p.csv", "rank,moe_layer,experts\n1,0,2 0\n0,0,0 1\n0,3,2 1\n1,3,0 2\n");
  const PlacementTable table = read_placement_table(file);
  EXPECT_EQ(table.layers, (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(table.ranks, 2);
  EXPECT_EQ(table.experts, 3);
  ASSERT_EQ(table.layer_rows(0).size(), 2U);
  EXPECT_EQ(table.layer_rows(0)[1].experts, (Ids{2, 0}));
}

TEST(PlacementTable, RefusesWhatCannotBe) {
  const TemporaryFolder folder;
  const auto refuse = [&folder](const std::string& rows, const std::string& words) {
    const auto file = folder.write("p.csv", "rank,moe_layer,experts\n" + rows);
    expect_error<InvalidInput>([&file] { (void)read_placement_table(file); }, words);
  };
  refuse("0,0,0 0\n", "line 2: expert 0 twice on one rank");
  refuse("0,0,0 1\n0,0,1\n", "line 3: rank 0 comes twice in layer 0");
  refuse("0,0,0 1\n1,1,0 1\n", "layer 0: rank 1 is missing");
  refuse("0,0,0 2\n", "layer 0: expert 1 is on no rank");
  refuse("0,0,\n", "wanted a whole number");
  refuse("", "holds no placement");
  const auto file = folder.write("q.csv", "rank,layer,experts\n");
  expect_error<InvalidInput>([&file] { (void)read_placement_table(file); }, "the header is not");
}

}  // namespace
}  // namespace switchyard
