#include "kernels/device/dispatch_layout_on_device.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "core/error.hpp"
#include "kernels/device/cuda_device.hpp"
#include "kernels/device/dispatch_layout_launch.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/device_memory.hpp"
#endif

namespace switchyard {
namespace {

void check_sizes(const LayoutRequest& request) {
  require_cuda_device();
  check_layout_request(request);
  const std::size_t slots = request.expert_ids.columns();
  if (request.experts() > static_cast<std::size_t>(kLayoutMaxExperts) ||
      slots > static_cast<std::size_t>(kLayoutMaxSlots) || request.ranks > kLayoutMaxRanks) {
    throw MissingCapability(
        fmt::format(
            "the CUDA layout serves up to {} experts, {} slots and {} ranks, not {}, {} and {}",
            kLayoutMaxExperts,
            kLayoutMaxSlots,
            kLayoutMaxRanks,
            request.experts(),
            slots,
            request.ranks),
        {},
        "choose the CPU executor");
  }
}

#if defined(SWITCHYARD_HAS_CUDA)

/// Two blocks for each multiprocessor, but chunks long enough to pay for their histograms.
std::int32_t tokens_of_chunk(std::int32_t tokens) {
  constexpr std::int32_t kFewest = 64;
  return std::max(kFewest, tokens / (2 * cuda_device().multiprocessors) + 1);
}

/// The request and its layout in device memory.
class DeviceLayout {
 public:
  explicit DeviceLayout(const LayoutRequest& request) : request_(request) {
    ids_.upload(request.expert_ids.values().data());
    ranks_of_experts_.upload(request.expert_to_rank.data());
    const std::uint32_t no_arrivals = 0;
    arrivals_.upload(&no_arrivals);
  }

  void launch() {
    LayoutArguments arguments = this->arguments();
    const DeviceMemory chunk_counts(static_cast<std::size_t>(layout_chunks(arguments)) *
                                    static_cast<std::size_t>(layout_slices(arguments)) *
                                    request_.experts() * kWord);
    arguments.chunk_counts = as<std::int32_t>(chunk_counts);
    launch_dispatch_layout(arguments);
  }

  [[nodiscard]] DispatchLayout download() const {
    const std::size_t tokens = request_.expert_ids.rows();
    const std::size_t slots = request_.expert_ids.columns();
    DispatchLayout layout{.load = words(load_),
                          .offsets = words(offsets_),
                          .positions = Matrix<std::int32_t>(tokens, slots),
                          .rows = Matrix<std::int32_t>(tokens, slots),
                          .sources = words(sources_),
                          .first_copies = Matrix<std::uint8_t>(tokens, slots),
                          .rank_tokens = words(rank_tokens_),
                          .node_tokens = words(node_tokens_)};
    positions_.download(layout.positions.values().data());
    rows_.download(layout.rows.values().data());
    first_copies_.download(layout.first_copies.values().data());
    layout.sources.resize(static_cast<std::size_t>(layout.offsets.back()));
    return layout;
  }

 private:
  static constexpr std::size_t kWord = sizeof(std::int32_t);

  template <typename Value>
  static Value* as(const DeviceMemory& memory) {
    return static_cast<Value*>(memory.address());
  }

  static std::vector<std::int32_t> words(const DeviceMemory& memory) {
    std::vector<std::int32_t> values(memory.bytes() / kWord);
    memory.download(values.data());
    return values;
  }

  [[nodiscard]] LayoutArguments arguments() const {
    const auto tokens = static_cast<std::int32_t>(request_.expert_ids.rows());
    LayoutArguments arguments;
    arguments.expert_ids = as<std::int32_t>(ids_);
    arguments.expert_to_rank = as<std::int32_t>(ranks_of_experts_);
    arguments.load = as<std::int32_t>(load_);
    arguments.offsets = as<std::int32_t>(offsets_);
    arguments.positions = as<std::int32_t>(positions_);
    arguments.rows = as<std::int32_t>(rows_);
    arguments.sources = as<std::int32_t>(sources_);
    arguments.first_copies = as<std::uint8_t>(first_copies_);
    arguments.rank_tokens = as<std::int32_t>(rank_tokens_);
    arguments.node_tokens = as<std::int32_t>(node_tokens_);
    arguments.arrivals = as<std::uint32_t>(arrivals_);
    arguments.tokens = tokens;
    arguments.slots = static_cast<std::int32_t>(request_.expert_ids.columns());
    arguments.experts = static_cast<std::int32_t>(request_.experts());
    arguments.capacity = request_.capacity;
    arguments.ranks = request_.ranks;
    arguments.ranks_per_node = request_.ranks_per_node;
    arguments.chunk_tokens = tokens_of_chunk(tokens);
    arguments.is_slot_major = request_.order == ChoiceOrder::SlotMajor;
    return arguments;
  }

  [[nodiscard]] std::size_t choices() const { return request_.expert_ids.values().size(); }

  const LayoutRequest& request_;
  DeviceMemory ids_{choices() * kWord};
  DeviceMemory ranks_of_experts_{request_.experts() * kWord};
  DeviceMemory load_{request_.experts() * kWord};
  DeviceMemory offsets_{(request_.experts() + 1) * kWord};
  DeviceMemory positions_{choices() * kWord};
  DeviceMemory rows_{choices() * kWord};
  DeviceMemory sources_{choices() * kWord};
  DeviceMemory first_copies_{choices()};
  DeviceMemory rank_tokens_{static_cast<std::size_t>(request_.ranks) * kWord};
  DeviceMemory node_tokens_{static_cast<std::size_t>(request_.nodes()) * kWord};
  DeviceMemory arrivals_{kWord};
};

#endif

}  // namespace

DispatchLayout dispatch_layout_on_device(const LayoutRequest& request) {
  check_sizes(request);
#if defined(SWITCHYARD_HAS_CUDA)
  if (!request.expert_ids.empty()) {
    DeviceLayout layout(request);
    layout.launch();
    return layout.download();
  }
#endif
  return dispatch_layout(request);  // no tokens: nothing to launch
}

}  // namespace switchyard
