// No exchange at all: every rank holds every expert and computes its own tokens.
#include "sim/layer_schedule.hpp"

namespace switchyard {
namespace {

/// For experts that are cheap to copy: rank-1 adapters (Intuition-MoR1E, arXiv 2404.08985: set
/// model.expert_hidden to 1 and model.gated to false), or a model small enough for plain data
/// parallelism.
class LocalExperts final : public LayerSchedule {
 public:
  explicit LocalExperts(Parameters& /*parameters*/) {}

  [[nodiscard]] Computes computes() const override { return Computes::OwnTokens; }

  [[nodiscard]] std::vector<Stage> stages(const LayerContext& context) const override {
    std::vector<Stage> stages;
    stages.push_back(routed_experts_stage(context));
    return stages;
  }
};

const Register<LayerSchedule, LocalExperts> kLocalExperts{
    "local_experts", "every expert on every rank, no exchange (MoR1E's adapters)"};

}  // namespace
}  // namespace switchyard
