// No exchange and no sparse experts: the experts' weights are averaged once per segment of tokens,
// and the segment goes through the one merged expert.
#include <algorithm>

#include "sim/layer_schedule.hpp"

namespace switchyard {
namespace {

/// Lory (Zhong et al., arXiv 2405.03133): merging costs experts / segment of a dense layer's flops,
/// and reads every expert's weights once per segment.
class MergedExperts final : public LayerSchedule {
 public:
  explicit MergedExperts(Parameters& parameters)
      : segment_(parameters.get_integer(
            "segment", 256, {1, 1 << 20}, "tokens that share one merged expert")) {}

  [[nodiscard]] Computes computes() const override { return Computes::OwnTokens; }

  [[nodiscard]] bool merges_experts() const override { return true; }

  [[nodiscard]] std::vector<Stage> stages(const LayerContext& context) const override {
    const std::vector<std::int64_t>& tokens = require_rank_tokens(context, "merging by segment");
    std::vector<Stage> stages;
    stages.push_back({.name = context.is_backward ? "merge_grad" : "merge",
                      .kind = StageKind::OtherWork,
                      .schedule = {},
                      .work = [segments = segments_of(tokens),
                               is_backward = context.is_backward,
                               &device = context.device,
                               &model = context.model](const Share& share) {
                        std::vector<RankWork> work;
                        for (const std::int64_t count : segments) {
                          work.push_back(
                              merge_work(device, model, share.of(count) * (is_backward ? 2 : 1)));
                        }
                        return work;
                      }});
    stages.push_back(experts_stage(context, rows_of_segments(tokens), 1));
    return stages;
  }

 private:
  [[nodiscard]] std::vector<std::int64_t> segments_of(
      const std::vector<std::int64_t>& tokens) const {
    std::vector<std::int64_t> segments;
    for (const std::int64_t count : tokens) {
      segments.push_back((count + segment_ - 1) / segment_);
    }
    return segments;
  }

  // Each segment is a dense expert of its own, [ranks, segments].
  [[nodiscard]] Matrix<std::int64_t> rows_of_segments(
      const std::vector<std::int64_t>& tokens) const {
    std::int64_t most = 0;
    for (const std::int64_t count : segments_of(tokens)) {
      most = std::max(most, count);
    }
    Matrix<std::int64_t> rows(tokens.size(), static_cast<std::size_t>(most));
    for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
      std::int64_t left = tokens[rank];
      for (std::int64_t& segment : rows.row(rank)) {
        segment = std::min(left, segment_);
        left -= segment;
      }
    }
    return rows;
  }

  std::int64_t segment_;
};

const Register<LayerSchedule, MergedExperts> kMergedExperts{
    "merged_experts", "experts' weights averaged per segment, no exchange (Lory)"};

}  // namespace
}  // namespace switchyard
