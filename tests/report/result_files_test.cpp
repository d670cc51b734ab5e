// The result in SQLite and as CSV: same tables, same rows, whole or absent.
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/sqlite.hpp"
#include "report/files/result_csv.hpp"
#include "report/files/result_store.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using ::testing::HasSubstr;
using testing::small_counts_result;
using testing::small_result;
using ::testing::StartsWith;
using testing::TemporaryFolder;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ResultStore, ReadsBackWhatItWrote) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "run.sqlite";
  write_result_store(small_result(), path, false);
  ASSERT_TRUE(is_sqlite_file(path));
  const StoredResult stored = read_result_store(path);
  EXPECT_EQ(stored.format_version, 1);
  const auto expected = total_metrics(small_result());
  ASSERT_EQ(stored.metrics.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(stored.metrics[i].name, expected[i].name);
    if (const auto* number = std::get_if<double>(&expected[i].value)) {
      EXPECT_EQ(std::get<double>(stored.metrics[i].value), *number) << expected[i].name;
    }
  }
  const std::vector<std::pair<std::string, std::int64_t>> rows{{"study", 1},
                                                               {"point", 1},
                                                               {"parameter", 2},
                                                               {"metric", 19},
                                                               {"layer", 2},
                                                               {"link", 2},
                                                               {"expert", 8},
                                                               {"rank", 8},
                                                               {"phase", 6},
                                                               {"event", 36},
                                                               {"expected_error", 0},
                                                               {"outside_calibration", 0},
                                                               {"note", 1}};
  EXPECT_EQ(stored.row_counts, rows);
}

TEST(ResultStore, WritesTheSameBytesForTheSameResult) {
  const TemporaryFolder folder;
  write_result_store(small_result(), folder.path() / "a.sqlite", false);
  write_result_store(small_result(), folder.path() / "b.sqlite", false);
  EXPECT_EQ(content(folder.path() / "a.sqlite"), content(folder.path() / "b.sqlite"));
}

TEST(ResultStore, KeepsAnExistingFileUnlessForced) {
  const TemporaryFolder folder;
  const auto path = folder.write("run.sqlite", "mine");
  expect_error<InvalidInput>([&] { write_result_store(small_result(), path, false); }, "--force");
  EXPECT_EQ(content(path), "mine");
  write_result_store(small_result(), path, true);
  EXPECT_TRUE(is_sqlite_file(path));
}

TEST(ResultStore, RefusesADamagedDatabase) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "cut.sqlite";
  write_result_store(small_result(), path, false);
  std::filesystem::resize_file(path, 700);
  EXPECT_THROW((void)read_result_store(path), InvalidInput);
  EXPECT_FALSE(is_sqlite_file(folder.write("text", "SQLite, but only in words")));
}

TEST(ResultCsv, WritesOneFilePerTable) {
  const TemporaryFolder folder;
  const auto target = folder.path() / "tables";
  write_result_csv(small_result(), target, false);
  EXPECT_THAT(content(target / "layer.csv"),
              StartsWith("point,step,layer,dispatch_s,combine_s,compute_s,layer_s,"));
  EXPECT_THAT(content(target / "layer.csv"), HasSubstr("\n1,0,2,0.002,0.004,0.003,0.008,"));
  EXPECT_THAT(content(target / "expert.csv"), HasSubstr("\n1,0,1,3,40\n"));
}

TEST(ResultCsv, QuotesTextsAndLeavesUnknownCellsEmpty) {
  const TemporaryFolder folder;
  write_result_csv(small_counts_result(), folder.path() / "tables", false);
  EXPECT_THAT(content(folder.path() / "tables" / "parameter.csv"),
              HasSubstr("1,trace.path,\"x, \"\"y\"\".trace\"\n"));
  EXPECT_THAT(content(folder.path() / "tables" / "metric.csv"), HasSubstr("1,step_s,,\n"));
}

TEST(ResultCsv, KeepsExistingFilesUnlessForced) {
  const TemporaryFolder folder;
  write_result_csv(small_result(), folder.path() / "tables", false);
  expect_error<InvalidInput>(
      [&] { write_result_csv(small_result(), folder.path() / "tables", false); }, "--force");
  EXPECT_NO_THROW(write_result_csv(small_result(), folder.path() / "tables", true));
}

}  // namespace
}  // namespace switchyard
