// From tables of measurements to calibration entries: read, select, split, fit, and price every row
// with the simulator under the fitted constants.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "profiler/calibration/calibration_file.hpp"
#include "profiler/measurements/measurement.hpp"
#include "sim/network/network.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

struct CalibrationRequest {
  std::vector<std::filesystem::path> files;
  MeasurementDefaults defaults;
  std::vector<std::string> selection;  // column=value, all must hold
  std::string model;                   // family; empty = the one that goes with the rows
  std::string hold_out;                // empty = nothing
  std::vector<std::string> fixed;      // constant=value
  std::uint64_t seed = 1;
  std::shared_ptr<const Fabric> fabric;
  std::shared_ptr<const Network> network;
};

/// Rows of one direction with what became of them; all vectors are [rows].
struct CalibratedRows {
  CalibrationEntry entry;
  std::vector<Measurement> rows;
  std::vector<ExchangeFeatures> features;
  std::vector<Prediction> predictions;
};

/// One element per direction in the rows: dispatch and combine are kernels of their own. Throws
/// InvalidInput for rows of several kinds, unusable rows and whatever the fit refuses.
std::vector<CalibratedRows> calibrate(const CalibrationRequest& request);

/// The constants with their intervals, the errors by regime, and the rows that are furthest off.
std::string calibration_summary(const CalibratedRows& calibrated);

}  // namespace switchyard
