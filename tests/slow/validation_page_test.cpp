// docs/validation.md and the built-in calibrations are what one command writes today.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/text_reader.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/real_data.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

TEST(ValidationPage, IsCurrent) {
  SWITCHYARD_REAL_DATA(data, "measurements");
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "docs");
  std::filesystem::copy(source_folder() / "docs/validation", folder.path() / "docs/validation");
  const ProgramRun run = run_program({"calibrate",
                                      "--validate",
                                      "docs/validation/datasets.json",
                                      "--data",
                                      data.string(),
                                      "-o",
                                      "docs/validation.md",
                                      "--presets",
                                      "profiler/calibration/presets",
                                      "--force"},
                                     folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) {
      const std::filesystem::path name = entry.path().lexically_relative(folder.path());
      EXPECT_EQ(read_text_file(entry.path()), read_text_file(source_folder() / name))
          << name << " is out of date: run the command that docs/validation.md names";
    }
  }
}

}  // namespace
}  // namespace switchyard::testing
