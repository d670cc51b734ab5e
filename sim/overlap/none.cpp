// Nothing overlaps: stage after stage.
#include "sim/overlap.hpp"

namespace switchyard {
namespace {

class NoOverlap final : public Overlap {
 public:
  explicit NoOverlap(Parameters& /*parameters*/) {}

  [[nodiscard]] std::vector<PlannedPhase> arrange(std::span<const Stage> stages) const override {
    return in_sequence(stages);
  }
};

const Register<Overlap, NoOverlap> kNone{"none", "stage after stage"};

}  // namespace
}  // namespace switchyard
