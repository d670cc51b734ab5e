// What expert GEMMs reach on a device, from measured ones: the constants of the scenario's
// "compute", fitted so that the simulator's own expert times come near.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "profiler/calibration/accuracy.hpp"
#include "profiler/measurements/gemm_table.hpp"
#include "sim/model.hpp"

namespace switchyard {

/// One kernel on one device; errors are those of all its rows.
struct GemmCalibration {
  std::string device;
  std::string software;
  GemmRates constants;
  ErrorSummary at_peak;          // of a roofline without constants
  ErrorSummary fitted;           // of `constants`
  ErrorSummary from_the_others;  // each model priced by constants fitted to the other models;
                                 // no rows where there is one model only
  std::vector<GemmMeasurement> rows;
  std::vector<Prediction> predictions;  // [rows] under `constants`
};

/// Seconds by the simulator (sim/model.hpp, expert_work) on the row's device.
double predicted_gemm(const GemmMeasurement& row, const GemmRates& constants);

/// By device and software, in the order of the table. Minimises the sum of Cauchy's rho of
/// log(predicted / measured) with a scale of 5 %, by pattern search from fixed starting points, for
/// each of a few tiles. Throws InvalidInput for a device without preset and for fewer rows than
/// constants.
std::vector<GemmCalibration> calibrate_gemms(const std::vector<GemmMeasurement>& rows);

std::string gemm_summary(const GemmCalibration& calibration);
/// The scenario's "compute" and the errors, by device and software:
/// {"h100_sxm": {"PyTorch ...": {"compute": {}, "error": {}}}}.
nlohmann::json gemm_document(const std::vector<GemmCalibration>& calibrations);

}  // namespace switchyard
