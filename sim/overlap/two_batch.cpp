// Two micro-batches of half the tokens run through all layers side by side: while one computes, the
// other communicates.
#include "sim/overlap.hpp"

namespace switchyard {
namespace {

/// DeepSeek-V3's inference overlap and DualPipe's pairing of chunks (arXiv 2412.19437, sections
/// 3.2.1 and 3.4), vLLM's dual batch overlap, SGLang's two-batch overlap. Pairing a forward with
/// a backward micro-batch is not modelled: both batches are in the same pass.
class TwoBatchOverlap final : public Overlap {
 public:
  explicit TwoBatchOverlap(Parameters& /*parameters*/) {}

  [[nodiscard]] std::size_t batch_count() const override { return kBatches; }

  [[nodiscard]] std::vector<PlannedPhase> arrange(std::span<const Stage> stages) const override {
    std::vector<PlannedPhase> phases;
    std::vector<std::vector<std::size_t>> latest(kBatches);
    for (const StageRange& leg : legs(stages, {0, stages.size()})) {
      for (std::size_t batch = 0; batch < kBatches; ++batch) {
        for (std::size_t stage = leg.first; stage < leg.last; ++stage) {
          phases.push_back({.stage = stage,
                            .share = {static_cast<std::int64_t>(batch), kBatches},
                            .after = latest[batch],
                            .batch = batch});
          latest[batch] = {phases.size() - 1};
        }
      }
    }
    return phases;
  }

 private:
  static constexpr std::size_t kBatches = 2;
};

const Register<Overlap, TwoBatchOverlap> kTwoBatch{
    "two_batch", "two micro-batches, one computes while the other communicates (DualPipe, DBO)"};

}  // namespace
}  // namespace switchyard
