// Tables of measurements: what is read, and what bad ones are told.
#include "profiler/measurements/measurement.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

const std::string kHeader =
    "source,hardware,op,ep_size,nodes,tokens_per_rank,hidden,topk,dtype_bytes,latency_us,"
    "bandwidth_GBps,bw_definition,note,latency_std_us,message_bytes,num_experts,num_sms\n";

class Measurements : public ::testing::Test {
 protected:
  MeasurementTable read(const std::string& text, const MeasurementDefaults& defaults = {}) {
    return read_measurements(folder_.write("table.csv", text), defaults);
  }

  template <class Action>
  void expect_message(const Action& action, const std::string& words) {
    expect_error<InvalidInput>(action, words);
  }

  TemporaryFolder folder_;
};

TEST_F(Measurements, CommonColumnsBecomeRows) {
  const auto table = read(kHeader +
                          "who,\"8x H100, NVLink\",dispatch_low_latency,8,1,128,7168,8,1,77,98,"
                          "\"says \"\"bytes\"\"\",n,,,256,\n"
                          "who,8x H100,nccl_alltoall,8,1,,,,2,1490,,,,,536870912,,\n"
                          "who,8x H100,mscclpp_allreduce,8,1,,,,2,10,,,,,8192,,\n");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.skipped, 1);  // the allreduce
  EXPECT_EQ(table.rows[0].hardware, "8x H100, NVLink");
  EXPECT_EQ(table.rows[0].kind, ExchangeKind::LowLatencyDispatch);
  EXPECT_EQ(table.rows[0].experts, 256);
  EXPECT_DOUBLE_EQ(table.rows[0].seconds, 77e-6);
  EXPECT_EQ(table.rows[0].where.place, "line 2");
  EXPECT_EQ(table.rows[1].kind, ExchangeKind::AllToAll);
  EXPECT_EQ(table.rows[1].message_bytes, 536870912);
}

TEST_F(Measurements, ATimeIsDerivedFromThePublishedBandwidth) {
  const auto table =
      read(kHeader + "who,8x H800,dispatch_normal,8,1,4096,7168,8,1,,153,,,,,256,\n");
  EXPECT_TRUE(table.rows[0].is_derived);
  EXPECT_NEAR(table.rows[0].seconds, 1039e-6, 10e-6);  // 159 MB at 153 GB/s
}

TEST_F(Measurements, ExpertsThatRowsDoNotSayAreGiven) {
  const std::string rows = kHeader +
                           "w,h,dispatch_normal,24,3,4096,7168,8,1,1633,,,,,,,\n"
                           "w,h,dispatch_low_latency,24,3,128,7168,8,1,386,,,,,,,\n"
                           "w,h,dispatch_normal,24,3,4096,7168,8,1,1633,,,,,,48,\n";
  const auto whole = read(rows, {.experts = 256});
  EXPECT_EQ(whole.rows[0].experts, 240);  // 10 a rank
  EXPECT_EQ(whole.rows[1].experts, 256);
  EXPECT_NE(whole.rows[1].problem, "");
  EXPECT_EQ(whole.rows[2].experts, 48);
  EXPECT_EQ(read(rows, {.experts_per_rank = 8}).rows[1].experts, 192);
}

TEST_F(Measurements, HybridEpRoutesAtRandomOnceANode) {
  const auto table = read(kHeader +
                              "w,h,dispatch_fp8,16,2,4096,7168,8,1,,34,,,,,,4\n"
                              "w,h,combine,16,2,4096,7168,8,2,,52,,,,,,4\n",
                          {.experts_per_rank = 8});
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].kind, ExchangeKind::NormalDispatch);
  EXPECT_EQ(table.rows[1].kind, ExchangeKind::NormalCombine);
  EXPECT_EQ(table.rows[0].routing, BenchmarkRouting::Random);
  EXPECT_EQ(table.rows[0].bytes_definition, "deepep_normal_rdma");
}

TEST_F(Measurements, MissingColumnsAreNamed) {
  std::string header = kHeader;
  header.erase(header.find("latency_us,"), std::string("latency_us,").size());
  expect_message([&] { read(header + "a,b,c\n"); }, "missing columns: latency_us");
  // A table in milliseconds has another column name: it is not read as microseconds.
  std::string milliseconds = kHeader;
  milliseconds.replace(milliseconds.find("latency_us"), 10, "latency_ms");
  expect_message([&] { read(milliseconds + "a,b,c\n"); }, "units are part of the names");
  expect_message([&] { read("x,y\n1,2\n"); }, "is no table of measurements");
}

TEST_F(Measurements, BadNumbersAreRefusedWithTheirLine) {
  expect_message([&] { read(kHeader + "w,h,nccl_alltoall,8,1,,,,2,-3,,,,,1024,,\n"); },
                 "line 2: latency_us -3 is negative");
  expect_message([&] { read(kHeader + "w,h,nccl_alltoall,8,1,,,,2,3us,,,,,1024,,\n"); },
                 "latency_us \"3us\" is no number");
  expect_message([&] { read(kHeader + "w,h,nccl_alltoall,8.5,1,,,,2,3,,,,,1024,,\n"); },
                 "ep_size 8.5 is no whole number");
  expect_message([&] { read(kHeader); }, "holds no measured all-to-all");
  expect_message([&] { read(kHeader + "w,\"h,nccl_alltoall\n"); }, "quotation mark is not closed");
}

TEST_F(Measurements, RowsWithoutWhatTheirOperationNeedsAreUnusable) {
  const auto table = read(kHeader +
                          "w,h,nccl_alltoall,8,1,,,,2,3,,,,,,,\n"
                          "w,h,dispatch_low_latency,8,1,128,7168,8,1,77,,,,,,,\n"
                          "w,h,combine_low_latency,8,1,128,7168,8,2,,,,,,,256,\n");
  expect_message([&] { require_usable(table.rows); }, "has no message_bytes");
  expect_message([&] { require_usable(select_rows(table.rows, "op=dispatch_low_latency")); },
                 "--experts N");
  expect_message([&] { require_usable(select_rows(table.rows, "op=combine_low_latency")); },
                 "neither latency nor bandwidth");
}

TEST_F(Measurements, SelectionSuggestsColumnsAndValues) {
  const auto table = read(kHeader + "w,h,nccl_alltoall,8,1,,,,2,3,,,,,1024,,\n");
  EXPECT_EQ(select_rows(table.rows, "ep_size=8").size(), 1U);
  expect_message([&] { select_rows(table.rows, "ep_sizes=8"); }, "did you mean \"ep_size\"?");
  expect_message([&] { select_rows(table.rows, "ep_size=16"); }, "no row has ep_size = \"16\"");
  expect_message([&] { select_rows(table.rows, "ep_size"); }, "write column=value");
}

TEST_F(Measurements, NcclTestsOutputComesThroughItsImporter) {
  const std::string table_text =
      "#       size         count      type   redop    root     time   algbw   busbw #wrong\n"
      "     1048576        131072     float    none      -1    28.42   36.89   18.45      0\n"
      "     2097152        262144     float    none      -1    40.00   52.43   26.21    N/A\n"
      "# Avg bus bandwidth    : 22.3\n";
  const std::string devices =
      "# nThread 1 nGpus 1 minBytes 8 maxBytes 128\n"
      "#  Rank  0 Group  0 Pid  11 on  alpha device  0 [0x1b] NVIDIA H100\n"
      "#  Rank  1 Group  0 Pid  12 on   beta device  0 [0x1b] NVIDIA H100\n";
  const std::vector<std::string> alltoall{"operation=alltoall"};
  const auto table = read(devices + table_text, {.nodes = 2, .importer_settings = alltoall});
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].ranks, 2);
  EXPECT_EQ(table.rows[0].nodes, 2);
  EXPECT_NEAR(table.rows[0].seconds, 28.42e-6, 1e-12);
  EXPECT_EQ(table.rows[1].message_bytes, 2097152);
  expect_message([&] { read(table_text, {.importer_settings = alltoall}); }, "say --ranks N");
  EXPECT_EQ(read(table_text, {.ranks = 8, .importer_settings = alltoall}).rows[0].ranks, 8);
}

}  // namespace
}  // namespace switchyard::testing
