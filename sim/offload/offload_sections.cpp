// The sections of an offload document.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "sim/offload/offload_scenario.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> kSplits{"shared", "equal", "adapmoe", "measured"};
constexpr std::array<std::string_view, 3> kMisses{"fetch", "cpu", "fastest"};
constexpr std::array<std::string_view, 2> kOrders{"fifo", "expert_aware"};
constexpr std::array<std::string_view, 2> kErrors{"expert", "layer"};
constexpr std::int64_t kMostCached = std::int64_t{1} << 40;
constexpr Bounds<std::int64_t> kCount{0, 1 << 20};

template <class Names>
std::size_t index_of(const Names& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

double accuracy_from(const json& value, const Location& place) {
  if (!value.is_number() || !(value.get<double>() >= 0 && value.get<double>() <= 1)) {
    throw InvalidInput(
        fmt::format("a prediction's accuracy is between 0 and 1, not {}", value.dump()),
        place,
        "0.9 = nine of ten predicted experts are right");
  }
  return value.get<double>();
}

std::vector<double> accuracies(const json& given, std::size_t count, const Location& place) {
  if (!given.is_array()) {
    std::vector<double> same(count, accuracy_from(given, place));
    return same;
  }
  if (given.size() != count) {
    throw InvalidInput(fmt::format("{} accuracies where {} are wanted", given.size(), count),
                       place,
                       "give one number for all of them, or one for each");
  }
  std::vector<double> all;
  for (std::size_t i = 0; i < given.size(); ++i) {
    all.push_back(accuracy_from(given[i], place.child(i)));
  }
  return all;
}

}  // namespace

MemoryChoice read_memory(Parameters& parameters) {
  MemoryChoice memory;
  MemoryTier& tier = memory.tier;
  tier.gpus = static_cast<std::size_t>(parameters.get_integer(
      "gpus", 1, {1, 4096}, "that share the experts: expert e on GPU e x gpus / experts"));
  memory.cache = parameters.get_bytes(
      "cache", Bytes{0}, "expert weights that a GPU keeps; 0B = cached_experts, else what fits");
  memory.cached_experts = parameters.get_integer(
      "cached_experts",
      0,
      {0, kMostCached},
      "the same, as a number of experts in full precision; 0 = all of the device's memory but "
      "what is reserved");
  constexpr std::int64_t kReserved = std::int64_t{4} << 30U;
  memory.reserved = parameters.get_bytes(
      "reserved", Bytes{kReserved}, "device memory for attention weights, KV cache, activations");
  memory.split = static_cast<CacheSplit>(
      index_of(kSplits,
               parameters.get_choice("split",
                                     "shared",
                                     kSplits,
                                     "shared: one cache for all layers; equal: the same for each; "
                                     "adapmoe: by expected loads of uniform routing; measured: by "
                                     "what LRU would load of this trace (both exact)")));
  tier.host.bandwidth = parameters.get_bandwidth(
      "host_link",
      BytesPerSecond{0},
      "host memory to GPU, one way; 0GBps = the topology's or the device's figure");
  tier.host.latency =
      parameters.get_duration("host_latency", Seconds{10e-6}, "of each copy over the host link");
  tier.gpus_per_link = static_cast<std::size_t>(
      parameters.get_integer("gpus_per_link", 1, {1, 4096}, "GPUs that share one host link"));
  tier.ssd.bandwidth = parameters.get_bandwidth(
      "ssd_link", BytesPerSecond{0}, "SSD to host memory; 0GBps = host memory holds every expert");
  tier.ssd.latency =
      parameters.get_duration("ssd_latency", Seconds{100e-6}, "of each copy from the SSD");
  tier.host_bytes =
      parameters
          .get_bytes("host_memory", Bytes{0}, "with an SSD: expert weights that host memory caches")
          .count;
  const bool is_unified = parameters.get_flag(
      "unified",
      false,
      "GPU and host share their memory: experts come from the SSD straight into the cache");
  if (is_unified && (tier.host.exists() || tier.host_bytes > 0)) {
    throw InvalidInput("unified memory has no host link and no host cache",
                       parameters.where().child("unified"),
                       "leave out host_link and host_memory, or unified");
  }
  if (is_unified && !tier.ssd.exists()) {
    throw InvalidInput("unified memory needs an SSD to load experts from",
                       parameters.where().child("ssd_link"),
                       "set memory.ssd_link, such as 3GBps");
  }
  if (memory.cache.count > 0 && memory.cached_experts > 0) {
    throw InvalidInput("the cache is given twice: as cache and as cached_experts",
                       parameters.where().child("cached_experts"),
                       "leave out one of them");
  }
  return memory;
}

PrefetchRule read_prefetch(Parameters& parameters, std::size_t layers) {
  PrefetchRule rule;
  rule.horizon = static_cast<std::size_t>(parameters.get_integer(
      "horizon",
      0,
      kCount,
      "layers looked ahead: the first of them with a missing expert is fetched; 0 = no prefetch"));
  const json accuracy = parameters.get_json(
      "accuracy",
      "share of predicted experts that are right, 0 to 1: one number, or a list by layers ahead; "
      "default 0.9");
  const json by_layer = parameters.get_json(
      "accuracy_by_layer", "the same, a list by the layer predicted, in place of accuracy");
  rule.limit = static_cast<std::size_t>(parameters.get_integer(
      "limit", 0, kCount, "most copies that a prediction starts (AdapMoE: 1); 0 = all missing"));
  rule.errs_by_layer =
      parameters.get_choice("errs",
                            "expert",
                            kErrors,
                            "expert: each prediction is right or wrong alone; layer: all of a "
                            "layer's together (the assumption of AdapMoE's split)") == "layer";
  const std::int64_t known = parameters.get_integer(
      "known_ahead",
      -1,
      {-1, 1 << 20},
      "layers whose routing is decided in advance, without mistakes; -1 = all for a trace whose "
      "router decided before the first (read_me), else none");
  rule.known_ahead = known < 0 ? 0 : static_cast<std::size_t>(known);
  const Location place = parameters.where().child("accuracy");
  constexpr double kDefaultAccuracy = 0.9;
  rule.accuracy =
      accuracies(accuracy.is_null() ? json(kDefaultAccuracy) : accuracy, rule.horizon, place);
  if (!by_layer.is_null()) {
    rule.by_layer = accuracies(by_layer, layers, parameters.where().child("accuracy_by_layer"));
  }
  return rule;
}

BatchRule read_batching(Parameters& parameters) {
  BatchRule rule;
  rule.tokens = static_cast<std::size_t>(parameters.get_integer(
      "tokens", 1, kCount, "that go through the layers together; 0 = all of a step"));
  rule.is_expert_aware =
      parameters.get_choice("order",
                            "fifo",
                            kOrders,
                            "fifo: as the trace has them; expert_aware: those of the longest "
                            "expert queue together (Read-ME)") == "expert_aware";
  rule.waiting = static_cast<std::size_t>(parameters.get_integer(
      "waiting", 256, {1, 1 << 24}, "tokens that an expert-aware batch is chosen from"));
  return rule;
}

CpuChoice read_cpu(Parameters& parameters) {
  CpuChoice cpu;
  cpu.miss = static_cast<MissRule>(
      index_of(kMisses,
               parameters.get_choice("miss",
                                     "fetch",
                                     kMisses,
                                     "what is done about a missing expert: fetch it, compute it on "
                                     "the cpu, or whichever is done sooner (fastest)")));
  cpu.expert_time = parameters.get_duration(
      "expert_time", Seconds{5e-3}, "an expert and one token on the CPU (HOBBIT: 5ms, Mixtral)");
  cpu.row_time =
      parameters.get_duration("row_time", Seconds{5e-3}, "each further token of that expert");
  return cpu;
}

}  // namespace switchyard
