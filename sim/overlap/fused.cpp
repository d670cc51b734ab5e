// Exchange and experts in one kernel: tiles are sent while others are computed. A factor says how
// much of the shorter of the two neighbours is hidden behind the longer.
#include "sim/overlap.hpp"

namespace switchyard {
namespace {

/// "Communication over computation" of Expert-Token Resonance (arXiv 2406.00023), Comet, FlashDMoE.
/// Factor 0 is no overlap; factor 1 hides the shorter of two neighbours whole.
class FusedOverlap final : public Overlap {
 public:
  explicit FusedOverlap(Parameters& parameters)
      : factor_(parameters.get_number(
            "factor", 0.8, {0, 1}, "share of the shorter of two neighbours that is hidden")) {}

  [[nodiscard]] std::vector<PlannedPhase> arrange(std::span<const Stage> stages) const override {
    std::vector<PlannedPhase> phases = in_sequence(stages);
    const StageRange part = expert_part(stages);
    for (std::size_t stage = part.first + 1; stage < part.last; ++stage) {
      if (is_communication(stages[stage].kind) != is_communication(stages[stage - 1].kind)) {
        phases[stage].lead = factor_;
      }
    }
    return phases;
  }

 private:
  double factor_;
};

const Register<Overlap, FusedOverlap> kFused{
    "fused", "exchange and experts in one kernel, hidden by a factor (ETR, Comet)"};

}  // namespace
}  // namespace switchyard
