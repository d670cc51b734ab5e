// Threads take components from a shared counter and write to disjoint flows.
#include "sim/network/fluid/component_runs.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "sim/network/fluid/release_queue.hpp"
#include "sim/network/fluid/windowed_run.hpp"

namespace switchyard {
namespace {

template <class T>
std::vector<T> pick(std::span<const T> values, std::span<const std::uint32_t> which) {
  std::vector<T> picked(which.size());
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
    std::vector<std::jthread> others;
    for (std::size_t k = 1; k < std::min(threads, count); ++k) {
      others.emplace_back(take);
    }
    take();
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
}

/// Puts the finishes of the graph's flows in the place of their bytes. `flows` says which they are
/// of the whole; empty if all.
void run_one(FlowGraph graph,
             const SharingLimits& limits,
             std::span<double> bytes_or_finish_s,
             std::span<const std::uint32_t> flows,
             std::span<const double> start_s,
             const RunChoice& choice) {
  if (graph.flow_count() > choice.exact_flow_limit) {
    run_windowed(
        std::move(graph), limits, bytes_or_finish_s, flows, start_s, choice.window_epsilon);
    return;
  }
  const std::vector<double> bytes =
      flows.empty() ? std::vector(bytes_or_finish_s.begin(), bytes_or_finish_s.end())
                    : pick<double>(bytes_or_finish_s, flows);
  const bool are_in_order = flows.empty() || start_s.size() == 1;
  const std::vector<double> starts =
      are_in_order ? std::vector(start_s.begin(), start_s.end()) : pick(start_s, flows);
  StartTimes source(starts, graph.flow_count());
  const std::vector<double> finish =
      run_exact(graph, limits, bytes, source, choice.until_s).finish_s;
  for (std::size_t flow = 0; flow < finish.size(); ++flow) {
    bytes_or_finish_s[flows.empty() ? flow : flows[flow]] = finish[flow];
  }
}

}  // namespace

ComponentTimes run_components(FlowGraph graph,
                              const SharingLimits& limits,
                              std::vector<double> bytes,
                              std::span<const double> start_s,
                              const RunChoice& choice) {
  ComponentTimes times;
  times.finish_s = std::move(bytes);
  if (is_connected(graph)) {
    times.is_windowed = graph.flow_count() > choice.exact_flow_limit;
    run_one(std::move(graph), limits, times.finish_s, {}, start_s, choice);
    return times;
  }
  std::vector<Component> components = split_components(std::move(graph));
  times.is_windowed = std::ranges::any_of(components, [&](const Component& component) {
    return component.flows.size() > choice.exact_flow_limit;
  });
  for_each_parallel(components.size(), choice.threads, [&](std::size_t k) {
    Component& component = components[k];
    run_one(std::move(component.graph), limits, times.finish_s, component.flows, start_s, choice);
  });
  return times;
}

}  // namespace switchyard
