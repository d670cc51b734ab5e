#include "tests/emulation/routers/group_top_k_runs.hpp"

#include <fmt/core.h>

#include "tests/emulation/ptx/device_image.hpp"

// The vocabulary must come before device code.
// clang-format off
#include "tests/emulation/simt/cuda_vocabulary.hpp"
#include "kernels/routers/group_limited_top_k.cuh"

// clang-format on

namespace switchyard {
namespace {

/// The memory and the plan of a launch, every output poisoned.
class GroupTopKImages {
 public:
  GroupTopKImages(const GroupTopKCase& test,
                  const LogitBuffer& logits,
                  const GroupTopKRunOptions& options)
      : plan_(plan_group_top_k(test.rows.shape, test.groups, options.multiprocessors)),
        rows_(logits.address(), logits.words.size() * sizeof(std::uint32_t)),
        bias_(make_bias(test).data(), static_cast<std::size_t>(test.rows.shape.experts) * 4),
        ids_(nullptr, choices(test) * sizeof(std::int32_t)),
        weights_(nullptr, choices(test) * sizeof(float)) {
    const TopKShape& shape = test.rows.shape;
    arguments_.logits = rows_.address();
    arguments_.bias = static_cast<const float*>(bias_.address());
    arguments_.expert_ids = static_cast<std::int32_t*>(ids_.address());
    arguments_.gate_weights = static_cast<float*>(weights_.address());
    arguments_.tokens = shape.tokens;
    arguments_.experts = shape.experts;
    arguments_.slots = shape.slots;
    arguments_.groups = test.groups;
    arguments_.kept_groups = test.kept_groups;
    arguments_.tokens_per_warp = plan_.tokens_per_warp;
    arguments_.scale = test.rows.scale;
    arguments_.has_vector_rows = plan_.has_full_lanes && has_vector_rows(rows_.address(), shape);
    arguments_.sums_best_two = test.sums_best_two;
    arguments_.is_renormalised = test.rows.is_renormalised;
  }

  [[nodiscard]] const GroupTopKPlan& plan() const { return plan_; }

  [[nodiscard]] const GroupTopKArguments& arguments() const { return arguments_; }

  [[nodiscard]] SimtLaunch shape(std::uint64_t seed) const {
    return {.grid = {static_cast<unsigned>(plan_.blocks)},
            .block = {static_cast<unsigned>(kTopKWarps) * 32U},
            .schedule_seed = seed};
  }

  [[nodiscard]] std::vector<PtxBuffer> buffers() const {
    return {rows_.buffer(), bias_.buffer(), ids_.buffer(), weights_.buffer()};
  }

  [[nodiscard]] TopKResult result() const {
    return {.expert_ids = ids_.values<std::int32_t>(), .gate_weights = weights_.values<float>()};
  }

 private:
  static std::size_t choices(const GroupTopKCase& test) {
    return static_cast<std::size_t>(test.rows.shape.tokens) *
           static_cast<std::size_t>(test.rows.shape.slots);
  }

  GroupTopKPlan plan_;
  DeviceImage rows_;
  DeviceImage bias_;
  DeviceImage ids_;
  DeviceImage weights_;
  GroupTopKArguments arguments_;
};

using GroupTopKBody = void (*)(const GroupTopKArguments&, std::int32_t);

struct GroupTopKKernel {
  GroupTopKBody body = nullptr;
  std::string name;
};

GroupTopKKernel find_kernel(LogitType type, const GroupTopKPlan& plan) {
#define SWITCHYARD_CASE(tag, Logit, most)                                                   \
  if (type == kLogitTypeOf<Logit> && plan.most_of_lane == (most)) {                         \
    return {&group_top_k_of_block<Logit, most>, "switchyard_group_top_k_" #tag "_m" #most}; \
  }
  SWITCHYARD_GROUP_TOP_K_KERNELS(SWITCHYARD_CASE)
#undef SWITCHYARD_CASE
  throw SimtError(fmt::format("no kernel holds {} experts a lane", plan.most_of_lane));
}

}  // namespace

std::string GroupTopKCase::name() const {
  return fmt::format(
      "{}_g{}of{}_{}", rows.name(), kept_groups, groups, sums_best_two ? "two" : "one");
}

std::vector<GroupTopKCase> group_top_k_cases() {
  struct Size {
    std::int32_t tokens, experts, slots, groups, kept_groups;
  };

  constexpr Size kSizes[] = {{37, 256, 8, 8, 4},
                             {33, 160, 6, 8, 3},
                             {31, 64, 6, 8, 4},
                             {32, 60, 4, 5, 2},
                             {1, 256, 8, 8, 4},
                             {27, 384, 8, 1, 1},
                             {19, 512, 8, 16, 5},
                             {20, 96, 8, 32, 20},
                             {18, 9, 2, 3, 1}};
  std::vector<GroupTopKCase> cases;
  for (const LogitType type : {LogitType::Float32, LogitType::Bfloat16, LogitType::Float16}) {
    for (const Size& size : kSizes) {
      GroupTopKCase test;
      test.rows.shape = {
          .logit_type = type, .tokens = size.tokens, .experts = size.experts, .slots = size.slots};
      test.rows.is_renormalised = cases.size() % 4 != 1;
      test.rows.scale = cases.size() % 2 == 0 ? 2.5F : 1.0F;
      test.rows.seed = 500 + cases.size();
      test.groups = size.groups;
      test.kept_groups = size.kept_groups;
      test.sums_best_two = cases.size() % 3 != 2;
      cases.push_back(test);
    }
  }
  return cases;
}

std::vector<float> make_bias(const GroupTopKCase& test) {
  std::vector<float> bias(static_cast<std::size_t>(test.rows.shape.experts));
  for (std::size_t expert = 0; expert < bias.size(); ++expert) {
    bias[expert] = static_cast<float>(expert * 37 % 11) * 0.015625F - 0.078125F;
  }
  return bias;
}

TopKResult emulated_group_top_k(const GroupTopKCase& test,
                                const LogitBuffer& logits,
                                const GroupTopKRunOptions& options) {
  const GroupTopKImages images(test, logits, options);
  const GroupTopKBody body = find_kernel(test.rows.shape.logit_type, images.plan()).body;
  simt_launch(images.shape(options.schedule_seed),
              [&] { body(images.arguments(), static_cast<std::int32_t>(blockIdx.x)); });
  return images.result();
}

PtxGroupTopKRun ptx_group_top_k(const PtxModule& module,
                                const GroupTopKCase& test,
                                const LogitBuffer& logits,
                                const GroupTopKRunOptions& options) {
  const GroupTopKImages images(test, logits, options);
  const GroupTopKKernel kernel = find_kernel(test.rows.shape.logit_type, images.plan());
  PtxGroupTopKRun run;
  run.counters = run_ptx(module.kernel(kernel.name),
                         {.shape = images.shape(options.schedule_seed),
                          .arguments = std::as_bytes(std::span(&images.arguments(), 1)),
                          .buffers = images.buffers()});
  run.result = images.result();
  return run;
}

}  // namespace switchyard
