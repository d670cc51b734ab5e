#include <csignal>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "core/files/atomic_file.hpp"
#include "core/files/json_file.hpp"
#include "core/files/mapped_file.hpp"
#include "core/files/text_reader.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::size_t file_count(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const TemporaryFolder folder;
  const auto target = folder.path() / "out";
  {
    AtomicFile file(target, false);
    file.write("12345");
    file.write_at(1, "xx");
    EXPECT_FALSE(std::filesystem::exists(target));
    file.commit();
  }
  EXPECT_EQ(content_of(target), "1xx45");
  EXPECT_EQ(file_count(folder.path()), 1U);
}

TEST(AtomicFile, LeavesTheOldFileWhenAbandoned) {
  const TemporaryFolder folder;
  const auto target = folder.write("out", "old");
  { AtomicFile(target, true).write("new"); }
  EXPECT_EQ(content_of(target), "old");
  EXPECT_EQ(file_count(folder.path()), 1U);
}

TEST(AtomicFile, OverwritesOnlyWhenTold) {
  const TemporaryFolder folder;
  const auto target = folder.write("out", "old");
  expect_error<InvalidInput>([&] { write_file(target, "new", false); }, "--force");
  write_file(target, "new", true);
  EXPECT_EQ(content_of(target), "new");
}

TEST(AtomicFile, SaysWhyItCannotWrite) {
  const TemporaryFolder folder;
  expect_error<InvalidInput>([&] { write_file(folder.path() / "no/such", "", false); },
                             "folder does not exist");
  expect_error<InvalidInput>([&] { write_file(folder.path(), "", true); }, "is a folder");
}

// A file-size limit fails a write the way a full disk does.
TEST(AtomicFile, KeepsTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const auto target = folder.write("out", "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = before;
  tight.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &tight);
  expect_error<InvalidInput>([&] { write_file(target, std::string(100000, 'x'), true); },
                             "nothing was changed");
  setrlimit(RLIMIT_FSIZE, &before);
  (void)std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(content_of(target), "old");
  EXPECT_EQ(file_count(folder.path()), 1U);
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  TextReader reader(path);
  std::vector<std::string> lines;
  std::string_view line;
  while (reader.next(line)) {
    lines.emplace_back(line);
  }
  return lines;
}

TEST(TextReader, ReadsPlainAndGzipAlike) {
  const TemporaryFolder folder;
  const std::string text = "one\r\ntwo\n\nlast without end";
  const std::vector<std::string> wanted{"one", "two", "", "last without end"};
  EXPECT_EQ(lines_of(folder.write("a.txt", text)), wanted);
  EXPECT_EQ(lines_of(folder.write_gzip("a.txt.gz", text)), wanted);
  EXPECT_TRUE(lines_of(folder.write("empty", "")).empty());
  EXPECT_TRUE(lines_of(folder.write_gzip("empty.gz", "")).empty());
}

TEST(TextReader, JoinsLinesLongerThanItsBuffers) {
  const TemporaryFolder folder;
  const std::string line(3000000, 'y');
  for (const auto& path :
       {folder.write("a", line + "\nz\n"), folder.write_gzip("a.gz", line + "\nz\n")}) {
    const auto lines = lines_of(path);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0], line);
    EXPECT_EQ(lines[1], "z");
  }
}

TEST(TextReader, NoticesGzipCutShortAnywhere) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += std::to_string(i * 7919) + "\n";
  }
  const std::string whole = content_of(folder.write_gzip("whole.gz", text));
  for (const std::size_t size : {std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
    const auto cut = folder.write("cut.gz", whole.substr(0, size));
    expect_error<InvalidInput>([&] { (void)lines_of(cut); }, "ends too early");
  }
  std::string damaged = whole;
  damaged[whole.size() / 2] ^= 0x55;
  EXPECT_THROW((void)lines_of(folder.write("damaged.gz", damaged)), InvalidInput);
}

TEST(TextReader, RefusesFoldersAndMissingFiles) {
  const TemporaryFolder folder;
  EXPECT_THROW(TextReader(folder.path()), InvalidInput);
  EXPECT_THROW(TextReader(folder.path() / "none"), InvalidInput);
}

TEST(JsonFile, SaysLineAndColumn) {
  const TemporaryFolder folder;
  const auto file = folder.write("x.json", "{\n  \"a\": 1,\n  \"b\" 2\n}");
  expect_error<InvalidInput>([&] { (void)read_json_file(file); }, "line 3, column");
}

TEST(JsonFile, RefusesAKeyGivenTwice) {
  expect_error<InvalidInput>(
      [] {
        (void)parse_json(R"({"a":{"k":1,"k":2}})", {"x", ""});
      },
      "\"k\" appears twice");
  EXPECT_NO_THROW((void)parse_json(R"([{"k":1},{"k":2}])", {"x", ""}));
}

TEST(MappedFile, ShowsTheBytesAndSurvivesRelease) {
  const TemporaryFolder folder;
  const std::string text(100000, 'q');
  const MappedFile file(folder.write("m", text));
  file.release(file.bytes());
  EXPECT_EQ(file.bytes().size(), text.size());
  EXPECT_EQ(static_cast<char>(file.bytes()[99999]), 'q');
  EXPECT_TRUE(MappedFile(folder.write("empty", "")).bytes().empty());
  EXPECT_THROW(MappedFile(folder.path()), InvalidInput);
}

}  // namespace
}  // namespace switchyard
