// Threads take components from a shared counter and write to disjoint flows.
#include "sim/network/fluid/component_runs.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "sim/network/fluid/release_queue.hpp"

namespace switchyard {
namespace {

std::vector<double> pick(std::span<const double> values, std::span<const std::uint32_t> which) {
  std::vector<double> picked(which.size());
  std::ranges::transform(which, picked.begin(), [&](std::uint32_t k) { return values[k]; });
  return picked;
}

/// Calls work(k) for all k below `count` on up to `threads` threads; rethrows the first failure in
/// order of k.
template <class Work>
void for_each_parallel(std::size_t count, std::size_t threads, const Work& work) {
  std::vector<std::exception_ptr> failures(count);
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t k = next++; k < count; k = next++) {
      try {
        work(k);
      } catch (...) {
        failures[k] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t k = 1; k < std::min(threads, count); ++k) {
      helpers.emplace_back(take);
    }
    take();
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
}

}  // namespace

FlowTimes run_components(FlowGraph graph,
                         const SharingLimits& limits,
                         const FlowDemand& demand,
                         std::span<const double> start_s,
                         std::size_t threads) {
  FlowTimes times{.start_s = std::vector<double>(start_s.begin(), start_s.end()),
                  .finish_s = std::vector<double>(start_s.size())};
  const std::vector<Component> components = split_components(std::move(graph));
  for_each_parallel(components.size(), threads, [&](std::size_t k) {
    const Component& component = components[k];
    const std::vector<double> bytes = pick(demand.bytes, component.flows);
    const std::vector<double> latency = pick(demand.latency_s, component.flows);
    const std::vector<double> starts = pick(start_s, component.flows);
    StartTimes source(starts);
    const FlowTimes part = run_exact(component.graph, limits, {bytes, latency}, source);
    for (std::size_t flow = 0; flow < component.flows.size(); ++flow) {
      times.finish_s[component.flows[flow]] = part.finish_s[flow];
    }
  });
  return times;
}

}  // namespace switchyard
