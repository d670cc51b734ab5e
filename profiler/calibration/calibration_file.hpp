// The calibration file: fitted constants, where they come from, how good they are, and the range
// they were fitted in. JSON, see docs/file_formats.md; schema in profiler/schema/.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "profiler/calibration/accuracy.hpp"
#include "profiler/calibration/exchange_model.hpp"
#include "profiler/calibration/fit.hpp"

namespace switchyard {

/// Smallest and largest value among the fitted rows, both included.
struct FittedRange {
  double low = 0;
  double high = 0;
};

/// One direction of one library on one machine.
struct CalibrationEntry {
  std::string direction;  // "dispatch", "combine" or "any"
  std::string model;      // name of the family
  std::string dataset;    // the file's name
  std::string hardware;   // as the rows say
  std::string machine;    // name of the topology that it was fitted on
  std::string algorithm;  // all-to-all that the fitted kernel uses: "direct once_per_rank"
  std::string source;
  std::vector<std::string> selection;  // the --select conditions
  std::string hold_out;                // the rule; empty = none
  std::uint64_t seed = 0;
  std::vector<std::string> fitted_rows;  // "line 12", ...
  ModelConstants constants{};
  std::vector<FittedConstant> fitted;  // the constants that were fitted, with their intervals
  double sms = 0;  // SMs that move data, when all fitted rows agree; 0 = unknown
  std::map<std::string, FittedRange> range;  // by feature: "ranks", "scale_up_bytes", ...
  Accuracy accuracy;
};

struct Calibration {
  std::string program_version;
  std::vector<CalibrationEntry> entries;

  /// The entry for a direction: its own, else the one for any. Nothing if there is neither.
  [[nodiscard]] const CalibrationEntry* entry_for(bool combine) const;
};

/// SMs of DeepEP's low-latency kernels on a device of 132 (H100, H200, H800 SXM), from the number
/// of experts: experts / ceil(experts / 132) (csrc/kernels/internode_ll.cu).
double low_latency_sms(double experts);
/// SMs to assume for an exchange whose kernel nobody named: those of the fitted rows if they agree;
/// what the low-latency kernels would use; else the most that any fitted row used.
double assumed_sms(const CalibrationEntry& entry, double experts);

/// The range that outside_range() checks, from the points of a fit.
std::map<std::string, FittedRange> fitted_range(const std::vector<FitPoint>& points);
/// What of `features` is outside by more than a tenth: "ranks 64 (fitted 8 to 16)".
std::vector<std::string> outside_range(const CalibrationEntry& entry,
                                       const ExchangeFeatures& features);

/// The whole document as text.
std::string calibration_text(const Calibration& calibration);
/// Throws InvalidInput for what the schema refuses, unknown constants and quantities without unit.
Calibration read_calibration(const std::filesystem::path& path);

/// Names of the calibrations that the program brings (profiler/calibration/presets/), sorted.
std::vector<std::string> calibration_presets();
/// A file, or a preset where there is no file of that name. Throws InvalidInput as
/// read_calibration does, and with the nearest name where there is neither.
Calibration load_calibration(const std::string& name_or_path);

}  // namespace switchyard
