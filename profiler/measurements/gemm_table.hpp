// Measured times of the expert GEMMs of one MoE layer on one GPU, as docs/validation/expert_gemm.py
// writes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

/// A row: gated experts (three matrices) in bfloat16.
struct GemmMeasurement {
  std::string device;  // a device preset's name
  std::string software;
  std::string model;
  std::int64_t hidden = 0;
  std::int64_t expert_hidden = 0;
  std::int64_t tokens = 0;
  std::vector<std::int64_t> rows;  // [experts]
  double seconds = 0;              // of the GEMMs up and down, without the activation; > 0
  Location where;
};

/// Whether the first line names such a table's columns. False for what cannot be read.
bool is_gemm_table(const std::filesystem::path& path);

/// Throws InvalidInput for a missing column, a negative or unreadable number, counts of another
/// number than `experts`, a layer without rows, and a table without lines.
std::vector<GemmMeasurement> read_gemm_table(const std::filesystem::path& path);

}  // namespace switchyard
