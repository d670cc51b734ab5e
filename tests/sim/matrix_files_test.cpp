#include "sim/exchange/matrix_files.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/run_network.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using testing::expect_error;

class ByteMatrix : public ::testing::Test {
 protected:
  Matrix<std::int64_t> read(std::string_view text, Bytes unit = {1}) {
    return read_byte_matrix(folder_.write("bytes.txt", text), unit);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ByteMatrix, ReadsBlanksTabsCommasAndComments) {
  const Matrix<std::int64_t> matrix = read("# two ranks\n\n0 1048576\n7,\t0  \r\n");
  ASSERT_EQ(matrix.rows(), 2U);
  EXPECT_EQ(matrix(0, 1), 1048576);
  EXPECT_EQ(matrix(1, 0), 7);
}

TEST_F(ByteMatrix, ReadsKibibytesWhenToldTo) {
  EXPECT_EQ(read("0 1.5\n2 0\n", {1024})(0, 1), 1536);
  expect_error<InvalidInput>(
      [&] { (void)read("0 1.5\n2 0\n"); },
      "bytes.txt: line 1: 1.5 is a fraction of a byte\nfiles that count in KiB");
}

TEST_F(ByteMatrix, ComesBackAsItWent) {
  const Matrix<std::int64_t> matrix = read("1 2 3\n4 5 6\n7 8 900000000000\n");
  EXPECT_EQ(byte_matrix_text(matrix), "1 2 3\n4 5 6\n7 8 900000000000\n");
  EXPECT_EQ(byte_matrix_text(read("0 2048\n1536 0\n"), {1024}), "0 2\n2 0\n");
  EXPECT_EQ(read(byte_matrix_text(matrix)), matrix);
}

TEST_F(ByteMatrix, SaysWhatIsWrongAndWhere) {
  expect_error<InvalidInput>([&] { (void)read("1 2\n3\n"); },
                             "line 2: 1 numbers, but the first row has 2");
  expect_error<InvalidInput>([&] { (void)read("1 2\n3 4\n5 6\n"); },
                             "line 3: more rows than the 2 columns");
  expect_error<InvalidInput>([&] { (void)read("1 2 3\n4 5 6\n"); },
                             "2 rows of 3 numbers are no square matrix");
  expect_error<InvalidInput>([&] { (void)read("# nothing\n"); }, "0 rows of 0 numbers");
  expect_error<InvalidInput>([&] { (void)read("1 x\n2 3\n"); }, "line 1: \"x\" is not a number");
  expect_error<InvalidInput>([&] { (void)read("1 64MiB\n2 3\n"); }, "\"64MiB\" is not a number");
  for (const char* text : {"0 -1\n1 0\n", "0 1e300\n1 0\n", "0 nan\n1 0\n", "0 inf\n1 0\n"}) {
    expect_error<InvalidInput>([&] { (void)read(text); }, "is no possible number of bytes");
  }
}

TEST_F(ByteMatrix, BecomesAnExchangeOnAFabric) {
  const Fabric fabric = testing::nodes({.gpus_per_node = {1, 2}});
  const Exchange exchange = exchange_of_matrix(read("0 5 6\n1 0 2\n3 4 0\n"), fabric);
  EXPECT_EQ(exchange.node_of_rank, (std::vector<std::int32_t>{0, 1, 1}));
  EXPECT_EQ(exchange.copy_bytes(0, 2), 6);
  EXPECT_TRUE(exchange.rank_bytes.empty());
  expect_error<InvalidInput>([&] { (void)exchange_of_matrix(Matrix<std::int64_t>(4, 4), fabric); },
                             "a matrix of 4 ranks does not fit on the 3 GPUs of \"nodes\"");
}

TEST(FlowsCsv, HoldsEveryTransferWithAllDigits) {
  const Fabric fabric = testing::star({.ranks = 3});
  const Schedule schedule = testing::schedule_of(3, {{0, 1, 1000}, {2, 1, 3000}});
  const Timeline timeline{.network = "fluid", .start_s = {0, 0.1}, .finish_s = {2e-6, 1.0 / 3}};
  EXPECT_EQ(flows_csv(schedule, timeline),
            "source,destination,bytes,start_s,finish_s\n"
            "0,1,1000,0,2e-06\n"
            "2,1,3000,0.1,0.3333333333333333\n");
  expect_error<MissingCapability>(
      [&] { (void)flows_csv(schedule, testing::run_network("bound", fabric, schedule)); },
      "the network \"bound\" does not time transfers");
}

}  // namespace
}  // namespace switchyard
