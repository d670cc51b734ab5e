// Every built-in calibration can be used: its algorithm exists, its error is known, its constants
// say something.
#include <gtest/gtest.h>

#include "core/components/embedded.hpp"
#include "profiler/calibration/calibration_file.hpp"
#include "sim/all_to_all.hpp"

namespace switchyard {
namespace {

class Calibrations : public ::testing::TestWithParam<std::string> {};

TEST_P(Calibrations, SaysWhatItIsAndHowGood) {
  const Calibration calibration = load_calibration(GetParam());
  for (const CalibrationEntry& entry : calibration.entries) {
    const std::string algorithm = entry.algorithm.substr(0, entry.algorithm.find(' '));
    EXPECT_TRUE(Registry<AllToAll>::instance().contains(algorithm)) << algorithm;
    EXPECT_FALSE(entry.machine.empty());
    EXPECT_FALSE(entry.hardware.empty());
    EXPECT_FALSE(entry.source.empty());
    EXPECT_GT(entry.accuracy.held_out.rows, 0);
    EXPECT_GT(entry.accuracy.expected().p95, 0);
    EXPECT_FALSE(entry.fitted.empty());
    EXPECT_GT(entry.constants[static_cast<std::size_t>(Constant::Launch)], 0);
  }
  // What was read is all that the file says.
  EXPECT_EQ(calibration_text(calibration),
            embedded_file("profiler/calibration/presets/" + GetParam() + ".json"));
}

TEST_P(Calibrations, HasOneEntryForADirection) {
  const Calibration calibration = load_calibration(GetParam());
  for (const CalibrationEntry& entry : calibration.entries) {
    EXPECT_EQ(&entry, calibration.entry_for(entry.direction == "combine"));
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         Calibrations,
                         ::testing::ValuesIn(calibration_presets()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace switchyard
