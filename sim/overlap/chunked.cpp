// The tokens are cut into pieces: while one is exchanged, another is computed. Each piece pays
// latency, launches and the reading of the experts' weights anew.
#include "sim/overlap.hpp"

namespace switchyard {
namespace {

/// Tutel's pipelining degree (Hwang et al., MLSys 2023, section 3.2) and FasterMoE's smart schedule
/// (He et al., PPoPP 2022): all dispatches are issued before the first combine.
class ChunkedOverlap final : public Overlap {
 public:
  explicit ChunkedOverlap(Parameters& parameters)
      : degree_(parameters.get_integer("degree", 2, {1, 64}, "pieces of each layer's tokens")) {}

  [[nodiscard]] std::vector<PlannedPhase> arrange(std::span<const Stage> stages) const override {
    const StageRange part = expert_part(stages);
    const auto degree = static_cast<std::size_t>(degree_);
    std::vector<PlannedPhase> phases;
    for (std::size_t stage = 0; stage < part.first; ++stage) {
      phases.push_back({.stage = stage, .share = {}, .after = {}});
      if (stage > 0) {
        phases.back().after = {stage - 1};
      }
    }
    // The last phase of each piece so far; all start behind the whole stages before.
    std::vector<std::vector<std::size_t>> latest(degree);
    if (!phases.empty()) {
      latest.assign(degree, {phases.size() - 1});
    }
    for (const StageRange& leg : legs(stages, part)) {
      for (std::size_t piece = 0; piece < degree; ++piece) {
        for (std::size_t stage = leg.first; stage < leg.last; ++stage) {
          phases.push_back({.stage = stage,
                            .share = {static_cast<std::int64_t>(piece), degree_},
                            .after = latest[piece]});
          latest[piece] = {phases.size() - 1};
        }
      }
    }
    std::vector<std::size_t> all;
    for (const std::vector<std::size_t>& of_piece : latest) {
      all.insert(all.end(), of_piece.begin(), of_piece.end());
    }
    for (std::size_t stage = part.last; stage < stages.size(); ++stage) {
      phases.push_back({.stage = stage, .share = {}, .after = all});
      all = {phases.size() - 1};
    }
    return phases;
  }

 private:
  std::int64_t degree_;
};

const Register<Overlap, ChunkedOverlap> kChunked{
    "chunked", "the layer's tokens in pieces, exchange of one beside experts of another (Tutel)"};

}  // namespace
}  // namespace switchyard
