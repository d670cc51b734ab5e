// Presets are JSON files under sim/models/presets and sim/devices/presets, embedded in the library.
#include "sim/model.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/embedded.hpp"
#include "core/components/suggestion.hpp"
#include "core/files/json_file.hpp"
#include "sim/expert_size.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> kDtypes{"bf16", "fp16", "fp32", "fp8"};

std::string preset_folder(const std::string& kind) {
  return "sim/" + kind + "/presets/";
}

// The user's object over the preset's, without the preset's prose.
json merged_model(const json& model, const std::string& traced, const Location& where) {
  json given = model.is_string() ? json{{"preset", model}}
               : model.is_null() ? json::object()
                                 : model;
  if (!given.is_object()) {
    throw InvalidInput("wrong type: wanted a model's name or an object", where);
  }
  const std::vector<std::string> known = preset_names("models");
  if (!given.contains("preset") && !given.contains("expert_hidden") &&
      std::ranges::find(known, traced) != known.end()) {
    given["preset"] = traced;
  }
  if (given.value("preset", json("")) == "") {
    return given;
  }
  if (!given["preset"].is_string()) {
    throw InvalidInput("wrong type: wanted a model's name", where.child("preset"));
  }
  json merged = preset_document("models", given["preset"], where.child("preset"));
  merged.erase("description");
  merged.erase("source");
  merged.update(given);
  return merged;
}

// A number that both the scenario and the trace may give; they must not contradict each other.
std::int64_t agreed(std::int64_t said,
                    std::int64_t traced,
                    const std::string& what,
                    const Location& where) {
  if (said > 0 && traced > 0 && said != traced) {
    throw InvalidInput(
        fmt::format("the model has {} {}, but the trace was recorded with {}", said, what, traced),
        where,
        "choose the model that the trace comes from (switchyard list models)");
  }
  return said > 0 ? said : traced;
}

}  // namespace

std::vector<std::string> preset_names(const std::string& kind) {
  return embedded_names(preset_folder(kind));
}

json preset_document(const std::string& kind, const std::string& name, const Location& where) {
  const std::string noun = kind.substr(0, kind.size() - 1);
  const EmbeddedFile file = embedded_preset(preset_folder(kind), noun, name, where);
  return parse_json(file.content, {std::string(file.path), ""});
}

std::int64_t element_bytes(const std::string& dtype, const Location& where) {
  if (dtype == "bf16" || dtype == "fp16") {
    return 2;
  }
  if (dtype == "fp32") {
    return 4;
  }
  if (dtype == "fp8") {
    return 1;
  }
  const std::vector<std::string> known(kDtypes.begin(), kDtypes.end());
  throw InvalidInput(
      fmt::format("no data type is called \"{}\"", dtype), where, suggestion_hint(dtype, known));
}

ModelCost read_model(const json& model,
                     const ModelShape& traced,
                     const Location& where,
                     json& resolved) {
  Parameters parameters(merged_model(model, traced.name, where), where);
  constexpr Bounds<std::int64_t> kAny{0, 1 << 20};
  parameters.get_text("preset", "", "name of a model preset that fills what is not given");
  ModelCost cost;
  cost.hidden = parameters.get_integer("hidden", 0, kAny, "width of a token");
  cost.expert_hidden = parameters.get_integer("expert_hidden", 0, kAny, "inner width of an expert");
  cost.is_gated =
      parameters.get_flag("gated", true, "three matrices per expert (SwiGLU) instead of two");
  cost.experts = parameters.get_integer("experts", 0, kAny, "routed experts per layer");
  cost.top_k = parameters.get_integer("top_k", 0, kAny, "experts per token");
  cost.layers = parameters.get_integer("layers", 0, kAny, "MoE layers");
  cost.shared_experts = parameters.get_integer(
      "shared_experts", 0, kAny, "experts that every token visits on its own rank");
  cost.dtype = parameters.get_choice("dtype", "bf16", kDtypes, "of weights and expert arithmetic");
  cost.zero_cost_experts = parameters.get_integer(
      "zero_cost_experts", 0, kAny, "the last of the experts, without weights (MoE++)");
  cost.weights = read_weight_form(parameters);
  parameters.finish();
  cost.experts = agreed(cost.experts, traced.experts, "experts", where.child("experts"));
  cost.top_k = agreed(cost.top_k, traced.top_k, "choices per token", where.child("top_k"));
  cost.hidden = agreed(cost.hidden, traced.hidden, "numbers per token", where.child("hidden"));
  if (cost.layers > 0 && traced.layers > cost.layers) {
    throw InvalidInput(
        fmt::format("the model has {} MoE layers, but the trace was recorded with {}",
                    cost.layers,
                    traced.layers),
        where.child("layers"),
        "choose the model that the trace comes from (switchyard list models)");
  }
  if (cost.hidden == 0 || cost.expert_hidden == 0) {
    throw InvalidInput(fmt::format("the model's {} is not known, and the trace does not say",
                                   cost.hidden == 0 ? "hidden width" : "expert width"),
                       where,
                       "name the model (--model deepseek_v3; switchyard list models) or set "
                       "model.hidden and model.expert_hidden");
  }
  if (cost.zero_cost_experts >= cost.experts && cost.zero_cost_experts > 0) {
    throw InvalidInput(fmt::format("{} zero-cost experts of {} leave none with weights",
                                   cost.zero_cost_experts,
                                   cost.experts),
                       where.child("zero_cost_experts"));
  }
  check_weight_form(cost, where);
  resolved = parameters.resolved();
  resolved["hidden"] = cost.hidden;
  resolved["experts"] = cost.experts;
  resolved["top_k"] = cost.top_k;
  return cost;
}

TokenBytes read_token_bytes(Parameters& wire, const ModelCost& model) {
  const std::string dispatch =
      wire.get_choice("dispatch", "bf16", kDtypes, "data type of tokens on their way to experts");
  const std::string combine =
      wire.get_choice("combine", "bf16", kDtypes, "data type of results on their way back");
  const std::int64_t block = wire.get_integer(
      "scale_block", 128, {1, 1 << 20}, "elements that share one fp32 scale in fp8");
  const Bytes header = wire.get_bytes("header", Bytes{0}, "extra bytes of each token");
  wire.finish();
  const auto bytes_of = [&](const std::string& dtype) {
    const std::int64_t scales = dtype == "fp8" ? (model.hidden + block - 1) / block * 4 : 0;
    return model.hidden * element_bytes(dtype, wire.where()) + scales + header.count;
  };
  return {.dispatch = bytes_of(dispatch), .combine = bytes_of(combine)};
}

namespace {

constexpr std::array<std::string_view, 2> kRates{"measured", "peak"};

/// What a preset says of GEMMs that ran on the device; at peak rates where it says nothing.
GemmRates read_measured(Parameters& preset, const std::string& kernel, const Location& where) {
  const json measured = preset.get_json(kernel, "what such kernels reach");
  if (!measured.is_object()) {
    return {};
  }
  Parameters parameters(measured, where.child(kernel));
  parameters.get_text("source", "", "where the figures come from");
  const GemmRates rates{
      .compute_efficiency =
          parameters.get_number("compute_efficiency", 1, {1e-6, 1}, "share of the peak"),
      .memory_efficiency =
          parameters.get_number("memory_efficiency", 1, {1e-6, 1}, "share of the memory rate"),
      .launch_overhead =
          parameters.get_duration("launch_overhead", Seconds{0}, "per rank and layer"),
      .row_tile = parameters.get_integer("row_tile", 1, {1, 4096}, "rows of a tile")};
  parameters.finish();
  return rates;
}

void read_device_preset(const std::string& dtype, const Location& where, ComputeDevice& device) {
  const json preset = preset_document("devices", device.name, where);
  const Location place{"sim/devices/presets/" + device.name + ".json", "#"};
  Parameters parameters(preset, place);
  parameters.get_text("description", "", "for people");
  parameters.get_text("source", "", "where the figures come from");
  const json peaks = parameters.get_json("peak", "dense peak rate by data type");
  device.memory_bandwidth =
      parameters.get_bandwidth("memory_bandwidth", BytesPerSecond{1}, "of the device memory");
  device.memory = parameters.get_bytes("memory", Bytes{0}, "size of the device memory");
  device.host_link = parameters.get_bandwidth(
      "host_link", BytesPerSecond{0}, "to host memory, one way (offload); 0GBps = not known");
  device.routed = read_measured(parameters, "expert_gemm", place);
  device.shared = read_measured(parameters, "shared_gemm", place);
  parameters.finish();
  if (!peaks.contains(dtype)) {
    throw InvalidInput(fmt::format("{} has no peak rate for {}", device.name, dtype),
                       where,
                       "choose another device, or another model.dtype");
  }
  device.peak = parse_compute_rate(peaks[dtype].get<std::string>(), place);
}

}  // namespace

namespace {

GemmRates read_rates(Parameters& compute,
                     const std::string& prefix,
                     const std::string& whose,
                     const GemmRates& defaults) {
  return {
      .compute_efficiency = compute.get_number(prefix + "compute_efficiency",
                                               defaults.compute_efficiency,
                                               {1e-6, 1},
                                               "share of the peak that " + whose + " reach"),
      .memory_efficiency = compute.get_number(prefix + "memory_efficiency",
                                              defaults.memory_efficiency,
                                              {1e-6, 1},
                                              "share of the memory rate that " + whose + " reach"),
      .launch_overhead = compute.get_duration(prefix + "launch_overhead",
                                              defaults.launch_overhead,
                                              "per rank and layer, before " + whose + " start"),
      .row_tile = compute.get_integer(prefix + "row_tile",
                                      defaults.row_tile,
                                      {1, 4096},
                                      "rows of " + whose + " are computed in whole tiles")};
}

}  // namespace

ComputeDevice read_device(Parameters& compute, const std::string& dtype) {
  ComputeDevice device;
  device.name = compute.get_text("device", "h100_sxm", "device preset (switchyard list devices)");
  read_device_preset(dtype, compute.where().child("device"), device);
  const std::string rates = compute.get_choice(
      "rates",
      "measured",
      kRates,
      "what expert GEMMs reach: measured on the device, where its preset knows, or its peak");
  const GemmRates routed = rates == "measured" ? device.routed : GemmRates{};
  device.routed = read_rates(compute, "", "routed experts", routed);
  // A device that nobody measured takes the same for both.
  const bool is_measured = rates == "measured" && device.shared.compute_efficiency < 1;
  const GemmRates shared = is_measured ? device.shared : device.routed;
  device.shared = read_rates(compute, "shared_", "shared experts", shared);
  device.expert_launch = compute.get_duration(
      "expert_launch", Seconds{0}, "per expert that has rows, as a grouped GEMM avoids");
  compute.finish();
  return device;
}

namespace {

struct Rates {
  double flops = 0;
  double bytes = 0;
};

Rates rates_of(const ComputeDevice& device) {
  return {device.peak.value * device.routed.compute_efficiency,
          device.memory_bandwidth.value * device.routed.memory_efficiency};
}

std::int64_t whole_tiles(std::int64_t rows, std::int64_t tile) {
  return (rows + tile - 1) / tile * tile;
}

// One kernel, booked under what bounds it. `padding` flops are on rows that fill a tile up: they
// take time, but it is the few rows that should be blamed, which leave weights to be read for
// little.
void add_kernel(RankWork& work, double flops, double padding, double bytes, const Rates& rates) {
  const double memory_s = bytes / rates.bytes;
  const bool is_compute = flops / rates.flops >= memory_s;
  (is_compute ? work.compute_s : work.memory_s) +=
      std::max((flops + padding) / rates.flops, memory_s);
}

}  // namespace

std::vector<RankWork> expert_work(const ComputeDevice& device,
                                  const ModelCost& model,
                                  const Matrix<std::int64_t>& rows,
                                  std::int64_t shards,
                                  const Share& share) {
  const ExpertSize size = expert_size(model);
  const double part = 1.0 / static_cast<double>(shards);
  const auto element = static_cast<double>(element_bytes(model.dtype, {}));
  const double weight_bytes = part * static_cast<double>(size.private_bytes);
  const Rates rates = rates_of(device);
  std::vector<RankWork> work(rows.rows());
  for (std::size_t rank = 0; rank < rows.rows(); ++rank) {
    RankWork& of_rank = work[rank];
    for (const std::int64_t whole : rows.row(rank)) {
      const auto count = static_cast<double>(share.of(whole));
      if (count > 0) {
        const std::int64_t own = share.of(whole);
        const std::int64_t padded = whole_tiles(own, device.routed.row_tile);
        const double flops = part * (count * size.flops_per_row + size.rebuild_flops);
        const double padding = part * static_cast<double>(padded - own) * size.flops_per_row;
        // Weights once; tokens in and results out.
        const double bytes = weight_bytes + element * 2 * count * static_cast<double>(model.hidden);
        add_kernel(of_rank, flops, padding, bytes, rates);
        of_rank.launch_s += device.expert_launch.count();
      }
    }
    if (of_rank.total() > 0) {
      of_rank.launch_s += device.routed.launch_overhead.count();
    }
  }
  return work;
}

std::vector<RankWork> shared_expert_work(const ComputeDevice& device,
                                         const ModelCost& model,
                                         const Matrix<std::int64_t>& rows,
                                         const Share& share) {
  ComputeDevice plain = device;
  plain.routed = device.shared;
  plain.expert_launch = Seconds{0};
  return expert_work(plain, model, rows, 1, share);
}

void clear_zero_cost(const ModelCost& model, Matrix<std::int64_t>& rows) {
  const auto free = static_cast<std::size_t>(model.zero_cost_experts);
  for (std::size_t rank = 0; rank < rows.rows(); ++rank) {
    for (std::int64_t& count : rows.row(rank).last(free)) {
      count = 0;
    }
  }
}

RankWork merge_work(const ComputeDevice& device, const ModelCost& model, std::int64_t times) {
  const ExpertSize size = expert_size(model);
  const auto experts = static_cast<double>(model.experts - model.zero_cost_experts);
  const auto count = static_cast<double>(times);
  RankWork work;
  if (times > 0) {
    // A multiply-add for each weight of each expert, as a row costs; the merged one is written.
    add_kernel(work,
               count * experts * size.flops_per_row,
               0,
               count * (experts + 1) * static_cast<double>(size.private_bytes),
               rates_of(device));
  }
  return work;
}

}  // namespace switchyard
