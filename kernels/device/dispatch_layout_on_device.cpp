#include "kernels/device/dispatch_layout_on_device.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "core/error.hpp"

namespace switchyard {
namespace {

void check_room(const LayoutRequest& request) {
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

/// Two blocks for each multiprocessor, but chunks long enough to pay for their histograms.
std::int32_t tokens_of_chunk(std::int32_t tokens, std::int32_t multiprocessors) {
  constexpr std::int32_t kFewest = 64;
  return std::max(kFewest, tokens / (2 * std::max(multiprocessors, 1)) + 1);
}

}  // namespace

DeviceLayout::DeviceLayout(KernelDevice& device,
                           const LayoutRequest& request,
                           std::int32_t chunk_tokens)
    : device_(device),
      tokens_(request.expert_ids.rows()),
      slots_(request.expert_ids.columns()),
      ranks_of_experts_(device, request.expert_to_rank),
      load_(device, request.experts()),
      offsets_(device, request.experts() + 1),
      positions_(device, tokens_ * slots_),
      rows_(device, tokens_ * slots_),
      sources_(device, tokens_ * slots_),
      first_copies_(device, tokens_ * slots_),
      rank_tokens_(device, static_cast<std::size_t>(request.ranks)),
      node_tokens_(device, static_cast<std::size_t>(request.nodes())),
      arrivals_(device, 1) {
  check_room(request);
  arguments_.expert_to_rank = ranks_of_experts_.address();
  arguments_.load = load_.address();
  arguments_.offsets = offsets_.address();
  arguments_.positions = positions_.address();
  arguments_.rows = rows_.address();
  arguments_.sources = sources_.address();
  arguments_.first_copies = first_copies_.address();
  arguments_.rank_tokens = rank_tokens_.address();
  arguments_.node_tokens = node_tokens_.address();
  arguments_.tokens = static_cast<std::int32_t>(tokens_);
  arguments_.slots = static_cast<std::int32_t>(slots_);
  arguments_.experts = static_cast<std::int32_t>(request.experts());
  arguments_.capacity = request.capacity;
  arguments_.ranks = request.ranks;
  arguments_.ranks_per_node = request.ranks_per_node;
  arguments_.chunk_tokens = chunk_tokens > 0
                                ? chunk_tokens
                                : tokens_of_chunk(arguments_.tokens, device.multiprocessors());
  arguments_.is_slot_major = request.order == ChoiceOrder::SlotMajor;
  const std::array<std::uint32_t, 1> no_arrivals{0};
  arrivals_.upload(no_arrivals);
  arguments_.arrivals = arrivals_.address();
  chunk_counts_.emplace(device,
                        static_cast<std::size_t>(layout_chunks(arguments_)) *
                            static_cast<std::size_t>(layout_slices(arguments_)) *
                            request.experts());
  arguments_.chunk_counts = chunk_counts_->address();
}

void DeviceLayout::launch(const std::int32_t* expert_ids) {
  arguments_.expert_ids = expert_ids;
  const std::int32_t chunks = layout_chunks(arguments_);
  device_.launch("switchyard_layout_count", chunks, kLayoutThreads, arguments_);
  device_.launch("switchyard_layout_place", chunks, kLayoutThreads, arguments_);
}

DispatchLayout DeviceLayout::download() const {
  DispatchLayout layout{.load = load_.values(),
                        .offsets = offsets_.values(),
                        .positions = Matrix<std::int32_t>(tokens_, slots_),
                        .rows = Matrix<std::int32_t>(tokens_, slots_),
                        .sources = {},
                        .first_copies = Matrix<std::uint8_t>(tokens_, slots_),
                        .rank_tokens = rank_tokens_.values(),
                        .node_tokens = node_tokens_.values()};
  positions_.download(layout.positions.values());
  rows_.download(layout.rows.values());
  first_copies_.download(layout.first_copies.values());
  layout.sources.resize(static_cast<std::size_t>(layout.offsets.back()));
  sources_.download(layout.sources);
  return layout;
}

DispatchLayout dispatch_layout_on_device(const LayoutRequest& request, std::int32_t chunk_tokens) {
  KernelDevice& device = current_device();
  check_layout_request(request);
  if (request.expert_ids.empty()) {
    return dispatch_layout(request);  // no tokens: nothing to launch
  }
  const DeviceArray<std::int32_t> ids(device, request.expert_ids.values());
  DeviceLayout layout(device, request, chunk_tokens);
  layout.launch(ids.address());
  return layout.download();
}

}  // namespace switchyard
