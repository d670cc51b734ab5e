// Every folder of docs/examples is a test: run.sh prints expected.txt, to the letter. HERE is the
// example's own folder; files are written to a folder that is thrown away.
#include <algorithm>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/support/folders.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

const std::filesystem::path kExamples = testing::source_folder() / "docs" / "examples";

std::vector<std::string> example_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kExamples)) {
    if (std::filesystem::exists(entry.path() / "run.sh")) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Example : public ::testing::TestWithParam<std::string> {};

TEST_P(Example, PrintsWhatItsFolderSays) {
  const std::filesystem::path example = kExamples / GetParam();
  const TemporaryFolder folder;
  const ProgramRun run = run_shell(
      "export HERE='" + example.string() + "'; bash \"$HERE/run.sh\" 2>&1", folder.path());
  EXPECT_EQ(run.output, content(example / "expected.txt"));
}

std::string test_name(const ::testing::TestParamInfo<std::string>& example) {
  return "example_" + example.param;
}

INSTANTIATE_TEST_SUITE_P(Docs, Example, ::testing::ValuesIn(example_names()), test_name);

}  // namespace
}  // namespace switchyard::testing
