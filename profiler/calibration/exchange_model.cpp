#include "profiler/calibration/exchange_model.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "core/components/suggestion.hpp"
#include "core/error.hpp"
#include "core/numbers/smooth_maximum.hpp"
#include "core/numbers/units.hpp"

namespace switchyard {
namespace {

constexpr std::array<ConstantInfo, kConstantCount> kInfos{{
    {Constant::Launch,
     "launch",
     ConstantUnit::Time,
     0.5e-6,
     200e-6,
     "launch and first latency, whatever the size"},
    {Constant::PerDoubling,
     "per_doubling",
     ConstantUnit::Time,
     1e-9,
     50e-6,
     "more start-up for each doubling of the ranks: rendezvous, flags, network hops"},
    {Constant::PerExpert,
     "per_expert",
     ConstantUnit::Time,
     0.1e-9,
     1e-6,
     "more start-up for each expert: counters and flags per stream"},
    {Constant::NetworkLatency,
     "network_latency",
     ConstantUnit::Time,
     1e-9,
     200e-6,
     "more start-up once bytes leave the node"},
    {Constant::BulkLatency,
     "bulk_latency",
     ConstantUnit::Time,
     0.1e-6,
     200e-6,
     "more start-up of the protocol for large blocks (NCCL Simple beside LL)"},
    {Constant::EagerRate,
     "eager_rate",
     ConstantUnit::Rate,
     0.05e9,
     500e9,
     "rate per peer of the protocol for small blocks (NCCL LL)"},
    {Constant::ScaleUpRate,
     "scale_up_rate",
     ConstantUnit::Rate,
     10e9,
     2000e9,
     "payload rate of a GPU's NVLink or xGMI port, one direction"},
    {Constant::ScaleOutRate,
     "scale_out_rate",
     ConstantUnit::Rate,
     1e9,
     400e9,
     "payload rate of a NIC, one direction"},
    {Constant::SmRate,
     "sm_rate",
     ConstantUnit::Rate,
     0.1e9,
     300e9,
     "bytes that one SM copies or casts a second"},
    {Constant::TokenRate,
     "token_rate",
     ConstantUnit::Rate,
     0.1e9,
     20000e9,
     "rate of reading each token once, whatever its copies; of one SM where their number is known"},
    {Constant::PipelineChunk,
     "pipeline_chunk",
     ConstantUnit::Size,
     1e3,
     200e6,
     "bytes in the pipeline before the first have arrived"},
    {Constant::Overlap,
     "overlap",
     ConstantUnit::Plain,
     1,
     8,
     "1: start-up and transfer add up; large: the longer one hides the other"},
}};

constexpr double kCollectiveOverlap = 1.5;
constexpr double kRegimeFactor = 2;

double value_of(const ModelConstants& constants, Constant constant) {
  return constants[static_cast<std::size_t>(constant)];
}

double time_at(double bytes, double rate) {
  return rate > 0 ? bytes / rate : 0;
}

/// A pipeline moves its first chunk twice: in, then out.
double with_fill(double seconds, double chunk, double rate) {
  const double fill = time_at(chunk, rate);
  return fill > 0 ? seconds + fill * (1 - std::exp(-seconds / fill)) : seconds;
}

struct Parts {
  double start = 0;
  double overlap = 1;
  double up = 0;
  double out = 0;
};

Parts parts_of(const ModelConstants& constants, const ExchangeFeatures& features) {
  const auto value = [&](Constant constant) { return value_of(constants, constant); };
  const auto rate = [&](Constant constant, double fallback) {
    return value(constant) > 0 ? value(constant) : fallback;
  };
  Parts parts;
  parts.start = value(Constant::Launch) + value(Constant::PerExpert) * features.experts +
                value(Constant::PerDoubling) * std::log2(std::max(1.0, features.ranks));
  parts.start += features.nodes > 1 ? value(Constant::NetworkLatency) : 0;
  parts.overlap = std::max(1.0, value(Constant::Overlap));
  const double up_rate = rate(Constant::ScaleUpRate, features.scale_up_link_rate);
  const double out_rate = rate(Constant::ScaleOutRate, features.scale_out_link_rate);
  const double chunk = value(Constant::PipelineChunk);
  const double staged = time_at(features.staged_bytes, features.sms * value(Constant::SmRate));
  const double copied =
      std::hypot(time_at(features.scale_up_bytes, up_rate), staged) +
      time_at(features.token_bytes, std::max(1.0, features.sms) * value(Constant::TokenRate));
  parts.up = with_fill(copied, chunk, up_rate);
  parts.out = with_fill(time_at(features.scale_out_bytes, out_rate), chunk, out_rate);
  if (features.scale_up_bytes <= 0) {  // no port inside a node could carry it in a simulation
    parts.out = std::max(parts.out, parts.up);
  }
  const double eager_rate = value(Constant::EagerRate);
  const double eager = time_at(features.peer_bytes, eager_rate);
  const double bulk_start = parts.start + value(Constant::BulkLatency);
  const double bulk =
      smooth_maximum(bulk_start, std::max(parts.up, parts.out) + features.latency_s, parts.overlap);
  if (eager_rate > 0 && parts.start + eager + features.latency_s < bulk) {
    parts.overlap = 1;
    parts.up = eager;
    parts.out = eager;
  } else {
    parts.start = bulk_start;
  }
  return parts;
}

}  // namespace

std::span<const ConstantInfo> constant_infos() {
  return kInfos;
}

const ConstantInfo& constant_info(Constant constant) {
  return kInfos[static_cast<std::size_t>(constant)];
}

const ConstantInfo& constant_info(const std::string& name) {
  std::vector<std::string> known;
  for (const ConstantInfo& info : kInfos) {
    if (info.name == name) {
      return info;
    }
    known.emplace_back(info.name);
  }
  throw InvalidInput("no constant is called \"" + name + "\"", {}, suggestion_hint(name, known));
}

std::string constant_text(const ConstantInfo& info, double value) {
  switch (info.unit) {
    case ConstantUnit::Time:
      return fmt::format("{:.6g}us", value * 1e6);
    case ConstantUnit::Rate:
      return fmt::format("{:.6g}GBps", value * 1e-9);
    case ConstantUnit::Size:
      return fmt::format("{:.0f}B", value);
    case ConstantUnit::Plain:
      return fmt::format("{:.6g}", value);
  }
  throw InternalError("a constant without a unit");
}

double parse_constant(const ConstantInfo& info, const std::string& text) {
  const Location where{std::string(info.name), ""};
  switch (info.unit) {
    case ConstantUnit::Time:
      return parse_duration(text, where).count();
    case ConstantUnit::Rate:
      return parse_bandwidth(text, where).value;
    case ConstantUnit::Size:
      return static_cast<double>(parse_bytes(text, where).count);
    case ConstantUnit::Plain:
      break;
  }
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
      value < 0) {
    throw InvalidInput("\"" + text + "\" is no number", where);
  }
  return value;
}

std::span<const ModelFamily> model_families() {
  static const std::vector<ModelFamily> families{
      {"collective",
       "equal blocks, two protocols (NCCL, RCCL)",
       {Constant::Launch,
        Constant::PerDoubling,
        Constant::EagerRate,
        Constant::BulkLatency,
        Constant::ScaleUpRate,
        Constant::ScaleOutRate,
        Constant::PipelineChunk},
       kCollectiveOverlap},
      {"low_latency",
       "a message per token and expert (DeepEP low latency)",
       {Constant::Launch,
        Constant::PerDoubling,
        Constant::PerExpert,
        Constant::NetworkLatency,
        Constant::ScaleUpRate,
        Constant::ScaleOutRate,
        Constant::SmRate,
        Constant::Overlap},
       0},
      {"normal",
       "once per node, then forwarded (DeepEP normal)",
       {Constant::Launch,
        Constant::ScaleUpRate,
        Constant::ScaleOutRate,
        Constant::SmRate,
        Constant::TokenRate,
        Constant::PipelineChunk,
        Constant::Overlap},
       0},
      {"nvlink",
       "once per rank over NVLink (TensorRT-LLM)",
       {Constant::Launch,
        Constant::PerDoubling,
        Constant::ScaleUpRate,
        Constant::TokenRate,
        Constant::Overlap},
       0},
  };
  return families;
}

const ModelFamily& model_family(const std::string& name) {
  std::vector<std::string> known;
  for (const ModelFamily& family : model_families()) {
    if (family.name == name) {
      return family;
    }
    known.emplace_back(family.name);
  }
  throw InvalidInput("no model is called \"" + name + "\"", {}, suggestion_hint(name, known));
}

ExchangeTerms exchange_terms(const ModelConstants& constants, const ExchangeFeatures& features) {
  const Parts parts = parts_of(constants, features);
  return {.start_up_s = parts.start,
          .overlap = parts.overlap,
          .scale_up_rate = parts.up > 0 ? features.scale_up_bytes / parts.up : 0,
          .scale_out_rate = parts.out > 0 ? features.scale_out_bytes / parts.out : 0};
}

double exchange_seconds(const ModelConstants& constants, const ExchangeFeatures& features) {
  const Parts parts = parts_of(constants, features);
  return smooth_maximum(
      parts.start, std::max(parts.up, parts.out) + features.latency_s, parts.overlap);
}

std::string_view regime_name(Regime regime) {
  switch (regime) {
    case Regime::Latency:
      return "latency";
    case Regime::Knee:
      return "knee";
    case Regime::Bandwidth:
      return "bandwidth";
  }
  throw InternalError("a regime without a name");
}

Regime exchange_regime(const ModelConstants& constants, const ExchangeFeatures& features) {
  const Parts parts = parts_of(constants, features);
  const double transfer = std::max(parts.up, parts.out);
  if (transfer < parts.start / kRegimeFactor) {
    return Regime::Latency;
  }
  return transfer > parts.start * kRegimeFactor ? Regime::Bandwidth : Regime::Knee;
}

}  // namespace switchyard
