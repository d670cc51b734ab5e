#include "tests/emulation/routers/layout_runs.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include <fmt/core.h>

#include "tests/emulation/ptx/device_image.hpp"
#include "traces/routing_trace.hpp"

// The vocabulary must come before device code.
// clang-format off
#include "tests/emulation/simt/cuda_vocabulary.hpp"
#include "kernels/device/dispatch_layout.cuh"

// clang-format on

namespace switchyard {
namespace {

/// The memory of a launch, with every output poisoned.
class LayoutImages {
 public:
  LayoutImages(const LayoutInput& input, std::int32_t chunk_tokens) : input_(input) {
    const auto choices = input.expert_ids.values().size();
    const auto experts = input.expert_to_rank.size();
    arguments_.expert_ids = add<std::int32_t>(choices, input.expert_ids.values().data());
    arguments_.expert_to_rank = add<std::int32_t>(experts, input.expert_to_rank.data());
    arguments_.load = add<std::int32_t>(experts);
    arguments_.offsets = add<std::int32_t>(experts + 1);
    arguments_.positions = add<std::int32_t>(choices);
    arguments_.rows = add<std::int32_t>(choices);
    arguments_.sources = add<std::int32_t>(choices);
    arguments_.first_copies = add<std::uint8_t>(choices);
    const LayoutRequest request = input.request();
    arguments_.rank_tokens = add<std::int32_t>(static_cast<std::size_t>(request.ranks));
    arguments_.node_tokens = add<std::int32_t>(static_cast<std::size_t>(request.nodes()));
    arguments_.tokens = input.test.tokens;
    arguments_.slots = input.test.slots;
    arguments_.experts = input.test.experts;
    arguments_.capacity = input.test.capacity;
    arguments_.ranks = input.test.ranks;
    arguments_.ranks_per_node = input.test.ranks_per_node;
    arguments_.chunk_tokens = chunk_tokens;
    arguments_.is_slot_major = input.test.order == ChoiceOrder::SlotMajor;
    const auto tables = static_cast<std::size_t>(layout_chunks(arguments_)) *
                        static_cast<std::size_t>(layout_slices(arguments_));
    arguments_.chunk_counts = add<std::int32_t>(tables * experts);
    const std::uint32_t no_arrivals = 0;
    arguments_.arrivals = add<std::uint32_t>(1, &no_arrivals);
  }

  [[nodiscard]] const LayoutArguments& arguments() const { return arguments_; }

  [[nodiscard]] std::vector<PtxBuffer> buffers() const {
    std::vector<PtxBuffer> buffers;
    for (const DeviceImage& image : images_) {
      buffers.push_back(image.buffer());
    }
    return buffers;
  }

  [[nodiscard]] DispatchLayout layout() const {
    const std::size_t experts = input_.expert_to_rank.size();
    const LayoutRequest request = input_.request();
    DispatchLayout layout{
        .load = copy(arguments_.load, experts),
        .offsets = copy(arguments_.offsets, experts + 1),
        .positions = table(arguments_.positions),
        .rows = table(arguments_.rows),
        .sources = {},
        .first_copies = table(arguments_.first_copies),
        .rank_tokens = copy(arguments_.rank_tokens, static_cast<std::size_t>(request.ranks)),
        .node_tokens = copy(arguments_.node_tokens, static_cast<std::size_t>(request.nodes()))};
    layout.sources = copy(arguments_.sources, static_cast<std::size_t>(layout.offsets.back()));
    return layout;
  }

 private:
  template <typename Value>
  Value* add(std::size_t count, const Value* source = nullptr) {
    images_.emplace_back(source, count * sizeof(Value));
    return static_cast<Value*>(images_.back().address());
  }

  template <typename Value>
  static std::vector<Value> copy(const Value* from, std::size_t count) {
    return {from, from + count};
  }

  template <typename Value>
  Matrix<Value> table(const Value* from) const {
    Matrix<Value> table(input_.expert_ids.rows(), input_.expert_ids.columns());
    std::copy_n(from, table.values().size(), table.values().begin());
    return table;
  }

  const LayoutInput& input_;
  std::vector<DeviceImage> images_;
  LayoutArguments arguments_;
};

SimtLaunch shape_of(const LayoutArguments& arguments, std::uint64_t seed) {
  return {.grid = {static_cast<unsigned>(layout_chunks(arguments))},
          .block = {static_cast<unsigned>(kLayoutThreads)},
          .schedule_seed = seed};
}

}  // namespace

std::string LayoutCase::name() const {
  return fmt::format("t{}_k{}_e{}_r{}x{}_c{}_{}",
                     tokens,
                     slots,
                     experts,
                     ranks,
                     ranks_per_node,
                     capacity,
                     order == ChoiceOrder::TokenMajor ? "token_major" : "slot_major");
}

std::vector<LayoutCase> layout_cases() {
  std::vector<LayoutCase> cases;
  for (const ChoiceOrder order : {ChoiceOrder::TokenMajor, ChoiceOrder::SlotMajor}) {
    for (const LayoutCase& shape : {LayoutCase{1, 1, 1},
                                    LayoutCase{31, 2, 8, 8, 8},
                                    LayoutCase{32, 6, 64, 8, 4, 2},
                                    LayoutCase{33, 8, 60, 12, 5, 1 << 30},
                                    LayoutCase{300, 8, 256, 32, 8, 11},
                                    LayoutCase{257, 3, 100, 25, 8, 0},
                                    LayoutCase{130, 10, 512, 64, 8, 4},
                                    LayoutCase{70, 32, 1024, 1024, 8, 3},
                                    LayoutCase{67, 7, 33, 3, 2, 9}}) {
      cases.push_back(shape);
      cases.back().order = order;
    }
  }
  return cases;
}

LayoutInput::LayoutInput(const LayoutCase& shape)
    : test(shape),
      expert_ids(static_cast<std::size_t>(shape.tokens), static_cast<std::size_t>(shape.slots)) {
  std::mt19937_64 random(static_cast<std::uint64_t>(shape.tokens * 131 + shape.experts));
  const auto experts = static_cast<std::uint64_t>(shape.experts);
  for (std::size_t token = 0; token < expert_ids.rows(); ++token) {
    const auto choices = expert_ids.row(token);
    for (std::size_t slot = 0; slot < choices.size(); ++slot) {
      // The lower of two draws makes low experts hot; a duplicate becomes a missing choice.
      const auto expert =
          static_cast<std::int32_t>(std::min(random() % experts, random() % experts));
      const bool is_duplicate =
          std::find(choices.begin(), choices.begin() + static_cast<std::ptrdiff_t>(slot), expert) !=
          choices.begin() + static_cast<std::ptrdiff_t>(slot);
      choices[slot] = is_duplicate || random() % 16 == 0 ? kNoExpert : expert;
    }
  }
  for (std::int32_t expert = 0; expert < shape.experts; ++expert) {
    expert_to_rank.push_back(expert * 7 % shape.ranks);
  }
}

LayoutRequest LayoutInput::request() const {
  return {.expert_ids = expert_ids.view(),
          .expert_to_rank = expert_to_rank,
          .ranks = test.ranks,
          .ranks_per_node = test.ranks_per_node,
          .capacity = test.capacity,
          .order = test.order};
}

DispatchLayout emulated_layout(const LayoutInput& input, const LayoutRunOptions& options) {
  const LayoutImages images(input, options.chunk_tokens);
  const SimtLaunch shape = shape_of(images.arguments(), options.schedule_seed);
  simt_launch(shape, [&] { count_of_block(images.arguments()); });
  simt_launch(shape, [&] { place_of_block(images.arguments()); });
  return images.layout();
}

PtxLayoutRun ptx_layout(const PtxModule& module,
                        const LayoutInput& input,
                        const LayoutRunOptions& options) {
  const LayoutImages images(input, options.chunk_tokens);
  const PtxLaunch launch{.shape = shape_of(images.arguments(), options.schedule_seed),
                         .arguments = std::as_bytes(std::span(&images.arguments(), 1)),
                         .buffers = images.buffers()};
  PtxLayoutRun run;
  run.count = run_ptx(module.kernel("switchyard_layout_count"), launch);
  run.place = run_ptx(module.kernel("switchyard_layout_place"), launch);
  run.layout = images.layout();
  return run;
}

}  // namespace switchyard
