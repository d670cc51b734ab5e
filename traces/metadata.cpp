// Numbers are kept as decimal text, since the metadata of a safetensors file holds only strings.
#include "traces/metadata.hpp"

#include <array>
#include <charconv>

#include <fmt/format.h>

#include "core/version.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 4> kFidelityNames{"L0", "L1", "L2", "L3"};
constexpr std::array<std::string_view, 4> kFidelityMeaning{
    "counts per expert",
    "counts per source rank and expert",
    "expert ids per token",
    "expert ids and gate weights or logits per token"};

template <class Number>
void read_number(const std::map<std::string, std::string>& strings,
                 const std::string& key,
                 const Location& where,
                 Number& number) {
  const auto found = strings.find(key);
  if (found == strings.end()) {
    return;
  }
  const std::string& text = found->second;
  Number value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value < 0) {
    throw InvalidInput(fmt::format("\"{}\" is \"{}\", not a whole number", key, text), where);
  }
  number = value;
}

/// A number in [-1, 1], if there is one.
std::optional<double> read_cosine(const std::map<std::string, std::string>& strings,
                                  const std::string& key,
                                  const Location& where) {
  const auto found = strings.find(key);
  if (found == strings.end()) {
    return std::nullopt;
  }
  const std::string& text = found->second;
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() ||
      !(value >= -1.001 && value <= 1.001)) {
    throw InvalidInput(fmt::format("\"{}\" is \"{}\", not a cosine", key, text), where);
  }
  return value;
}

void read_text(const std::map<std::string, std::string>& strings,
               const std::string& key,
               std::string& text) {
  const auto found = strings.find(key);
  if (found != strings.end()) {
    text = found->second;
  }
}

}  // namespace

std::string_view fidelity_name(Fidelity level) {
  return kFidelityNames.at(static_cast<std::size_t>(level));
}

void require_fidelity(Fidelity have, Fidelity need, std::string_view what) {
  if (have >= need) {
    return;
  }
  throw MissingCapability(
      fmt::format("{} needs {} ({}); the routing file holds {} ({})",
                  what,
                  fidelity_name(need),
                  kFidelityMeaning.at(static_cast<std::size_t>(need)),
                  fidelity_name(have),
                  kFidelityMeaning.at(static_cast<std::size_t>(have))),
      {},
      need == Fidelity::CountsPerRank
          ? "record counts on every rank, or a trace with ids per token"
          : "record a trace with ids per token; counts cannot be turned into one");
}

std::map<std::string, std::string> metadata_to_strings(const TraceMetadata& metadata) {
  std::map<std::string, std::string> strings{
      {"format_version", std::to_string(kTraceFormatVersion)},
      {"program_version", std::string(kProgramVersion)},
      {"seed", std::to_string(metadata.seed)},
  };
  const auto add_number = [&strings](const std::string& key, std::int64_t value) {
    if (value != 0) {
      strings.emplace(key, std::to_string(value));
    }
  };
  const auto add_text = [&strings](const std::string& key, const std::string& value) {
    if (!value.empty()) {
      strings.emplace(key, value);
    }
  };
  add_number("hidden", metadata.model.hidden);
  add_number("experts", metadata.model.experts);
  add_number("top_k", metadata.model.top_k);
  add_number("layers", metadata.model.layers);
  add_text("dtype", metadata.model.dtype);
  add_text("model_name", metadata.model.name);
  add_text("router", metadata.router);
  add_text("router_parameters", metadata.router_parameters);
  add_text("provenance", metadata.provenance);
  add_text("rank_assignment", metadata.rank_assignment);
  add_number("passes", metadata.passes == 1 ? 0 : metadata.passes);
  add_number("merges_experts", metadata.merges_experts ? 1 : 0);
  add_number("is_pre_gated", metadata.is_pre_gated ? 1 : 0);
  add_number("router_allreduce_bytes", metadata.router_allreduce_bytes);
  add_number("router_allreduce_first_layer", metadata.router_allreduce_first_layer);
  if (metadata.gate_similarity) {
    strings.emplace("gate_similarity", fmt::format("{}", *metadata.gate_similarity));
  }
  return strings;
}

TraceMetadata metadata_from_strings(const std::map<std::string, std::string>& strings,
                                    const Location& where) {
  std::int64_t version = 0;
  read_number(strings, "format_version", where, version);
  if (version == 0) {
    throw InvalidInput(
        "has no \"format_version\" in its metadata",
        where,
        fmt::format("a native file says \"format_version\": \"{}\"", kTraceFormatVersion));
  }
  if (version > kTraceFormatVersion) {
    throw InvalidInput(
        fmt::format(
            "has format version {}; this program reads up to {}", version, kTraceFormatVersion),
        where,
        "a newer Switchyard wrote it");
  }
  TraceMetadata metadata;
  read_number(strings, "hidden", where, metadata.model.hidden);
  read_number(strings, "experts", where, metadata.model.experts);
  read_number(strings, "top_k", where, metadata.model.top_k);
  read_number(strings, "layers", where, metadata.model.layers);
  read_text(strings, "dtype", metadata.model.dtype);
  read_text(strings, "model_name", metadata.model.name);
  read_text(strings, "router", metadata.router);
  read_text(strings, "router_parameters", metadata.router_parameters);
  read_number(strings, "seed", where, metadata.seed);
  read_text(strings, "provenance", metadata.provenance);
  read_text(strings, "rank_assignment", metadata.rank_assignment);
  read_number(strings, "passes", where, metadata.passes);
  if (metadata.passes == 0) {
    throw InvalidInput("\"passes\" is 0: a token passes at least once", where);
  }
  std::int64_t merges_experts = 0;
  read_number(strings, "merges_experts", where, merges_experts);
  metadata.merges_experts = merges_experts != 0;
  std::int64_t is_pre_gated = 0;
  read_number(strings, "is_pre_gated", where, is_pre_gated);
  metadata.is_pre_gated = is_pre_gated != 0;
  read_number(strings, "router_allreduce_bytes", where, metadata.router_allreduce_bytes);
  read_number(
      strings, "router_allreduce_first_layer", where, metadata.router_allreduce_first_layer);
  metadata.gate_similarity = read_cosine(strings, "gate_similarity", where);
  return metadata;
}

}  // namespace switchyard
