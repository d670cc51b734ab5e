// workload -> gate projection -> router -> trace: chunk by chunk, so that only the hidden states of
// one source rank are ever in memory, or of all ranks of a step for routers that want them
// together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/run_control.hpp"
#include "kernels/router.hpp"
#include "kernels/workloads/workload.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

/// How logits are made of hidden states.
enum class ProjectionKind : std::uint8_t {
  Fast,              // oneDNN: the same on any number of threads, not on every processor
  Ordered,           // float32 in one order of sums: the same bits on every machine, and
  OrderedOnDevice,   // on a GPU
  Bfloat16OnDevice,  // bfloat16 on a GPU's tensor cores
};

/// How alike experts are: mean pairwise cosines, over layers, where there is something to compare.
struct Similarities {
  std::optional<double> gate;    // of the rows of the gate
  std::optional<double> routed;  // of the experts' mean tokens, first step and source ranks
};

struct RouteRequest {
  const Workload& workload;
  const Router& router;
  std::string router_name;        // for the metadata
  std::string router_parameters;  // resolved, as JSON text; for the metadata
  std::uint64_t seed = 1;         // of the router's random numbers
  std::string dtype = "bf16";     // of the model's activations; for the metadata
  std::string model_name;         // of the model preset that was asked for; for the metadata
  bool keeps_token_ids = true;    // record token and sequence ids where the workload has them
  ProjectionKind projection = ProjectionKind::Fast;
  bool keeps_logits = false;  // also record the logits, so that other routers can be replayed
};

/// Routes every token. Chunks come by step, rank, layer, pass; by step,
/// layer, rank, pass if the router routes all ranks together. Throws InvalidInput if the router
/// cannot serve the workload's shape, Interrupted on Ctrl-C.
RoutingTrace route_workload(const RouteRequest& request, const Progress& progress = {});

/// The same, written as it is made: for traces larger than memory. The file appears whole or not at
/// all.
Similarities route_workload_to_file(const RouteRequest& request,
                                    const std::filesystem::path& path,
                                    bool overwrite,
                                    const Progress& progress = {});

}  // namespace switchyard
