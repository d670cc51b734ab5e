// workload -> gate projection -> router -> trace: chunk by chunk, so that only the hidden states of
// one source rank are ever in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/run_control.hpp"
#include "kernels/router.hpp"
#include "kernels/workloads/workload.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

struct RouteRequest {
  const Workload& workload;
  const Router& router;
  std::string router_name;        // for the metadata
  std::string router_parameters;  // resolved, as JSON text; for the metadata
  std::uint64_t seed = 1;         // of the router's random numbers
  std::string dtype = "bf16";     // of the model's activations; for the metadata
  bool keeps_token_ids = true;    // record token and sequence ids where the workload has them
  bool keeps_logits = false;      // also record the logits, so that other routers can be replayed
};

/// Routes every token. Chunks come by step, rank, layer. Throws InvalidInput if the router cannot
/// serve the workload's shape, Interrupted on Ctrl-C.
RoutingTrace route_workload(const RouteRequest& request, const Progress& progress = {});

/// The same, written as it is made: for traces larger than memory. The file appears whole or not at
/// all.
void route_workload_to_file(const RouteRequest& request,
                            const std::filesystem::path& path,
                            bool overwrite,
                            const Progress& progress = {});

}  // namespace switchyard
