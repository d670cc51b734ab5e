// The costs of a model that traces do not carry: widths, data types, and the device that computes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/components/parameters.hpp"
#include "core/matrix.hpp"
#include "core/numbers/units.hpp"
#include "sim/exchange/traffic.hpp"
#include "sim/rank_work.hpp"
#include "traces/metadata.hpp"

namespace switchyard {

/// How the weights of an expert are represented.
struct WeightForm {
  enum class Kind {
    Full,     // plain matrices
    Mpo,      // matrix product operators, the central tensor shared by all experts (MPOE)
    RankOne,  // adapters a b^T beside a frozen model (MoR1E)
  };

  Kind kind = Kind::Full;
  std::vector<std::int64_t> input_factors;   // Mpo: their product is `hidden`
  std::vector<std::int64_t> output_factors;  // Mpo: their product is `expert_hidden`
};

/// One MoE layer of a model. Zero = not said.
struct ModelCost {
  std::int64_t hidden = 0;         // width of a token
  std::int64_t expert_hidden = 0;  // inner width of an expert
  bool is_gated = true;            // SwiGLU-like: three matrices instead of two
  std::int64_t experts = 0;
  std::int64_t top_k = 0;
  std::int64_t layers = 0;
  std::int64_t shared_experts = 0;     // every token visits them, on its own rank
  std::string dtype = "bf16";          // of weights and expert arithmetic
  std::int64_t zero_cost_experts = 0;  // the last of `experts`: no weights, no arithmetic (MoE++)
  WeightForm weights;                  // how an expert's matrices are stored

  [[nodiscard]] std::int64_t matrices() const { return is_gated ? 3 : 2; }
};

/// Reads the scenario's "model": a preset's name, or an object whose "preset" may name one; else
/// the preset that the trace names, unless the object gives an expert's width. What is still
/// unknown is taken from the trace. Throws InvalidInput where the trace contradicts it. `resolved`
/// receives the object with everything filled in.
ModelCost read_model(const nlohmann::json& model,
                     const ModelShape& traced,
                     const Location& where,
                     nlohmann::json& resolved);

/// Bytes of one element: "bf16", "fp16" 2; "fp32" 4; "fp8" 1. Throws InvalidInput.
std::int64_t element_bytes(const std::string& dtype, const Location& where);

/// Reads the scenario's "wire": data types of dispatch and combine, scales and header. A token in
/// fp8 carries one fp32 scale per `scale_block` elements (DeepEP: 128).
TokenBytes read_token_bytes(Parameters& wire, const ModelCost& model);

/// What a kernel reaches of a device.
struct GemmRates {
  double compute_efficiency = 1;  // share of the peak
  double memory_efficiency = 1;   // share of the memory rate
  Seconds launch_overhead{0};     // once per rank and stage
  std::int64_t row_tile = 1;      // an expert's rows take the arithmetic of whole tiles of so many
};

/// What a GPU can do.
struct ComputeDevice {
  std::string name;
  FlopsPerSecond peak;  // dense, at the model's dtype
  BytesPerSecond memory_bandwidth;
  Bytes memory;                 // of the device; 0 = its preset does not say
  BytesPerSecond host_link{0};  // to host memory, one way; 0 = its preset does not say
  GemmRates routed;             // of the routed experts' grouped GEMMs
  GemmRates shared;             // of shared experts, a plain GEMM
  Seconds expert_launch{0};     // once per routed expert with rows
};

/// Reads the scenario's "compute": device preset and efficiencies. Those of the preset, if it has
/// measured ones ("expert_gemm", "shared_gemm"), unless `rates` is "peak"; each can be set by
/// itself.
ComputeDevice read_device(Parameters& compute, const std::string& dtype);

/// What each row of `rows`, [ranks, experts], costs its rank. Each expert is a roofline of its own
/// (Williams et al., CACM 52(4), 2009): max(flops / peak, (weights + activations) / memory rate),
/// and a launch. A rank holds one of `shards` slices of each expert's inner width.
std::vector<RankWork> expert_work(const ComputeDevice& device,
                                  const ModelCost& model,
                                  const Matrix<std::int64_t>& rows,
                                  std::int64_t shards = 1,
                                  const Share& share = {});

/// The same for shared experts, which take one plain GEMM.
std::vector<RankWork> shared_expert_work(const ComputeDevice& device,
                                         const ModelCost& model,
                                         const Matrix<std::int64_t>& rows,
                                         const Share& share = {});

/// Averaging all experts' weights into one, `times` over (Lory, arXiv 2405.03133, section 2.2).
RankWork merge_work(const ComputeDevice& device, const ModelCost& model, std::int64_t times);

/// Sets the rows of zero-cost experts, the last columns of [ranks, experts], to 0.
void clear_zero_cost(const ModelCost& model, Matrix<std::int64_t>& rows);

/// Names of the embedded presets, sorted: "models" or "devices".
std::vector<std::string> preset_names(const std::string& kind);
/// One preset's document; throws InvalidInput with the nearest name.
nlohmann::json preset_document(const std::string& kind,
                               const std::string& name,
                               const Location& where);

}  // namespace switchyard
