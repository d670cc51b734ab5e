// The correction bias of auxiliary-loss-free balancing: added to scores for the selection, never to
// the weights. A trace or a scenario may give trained values; otherwise it can be trained on the
// chunk at hand by the paper's own rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/components/parameters.hpp"
#include "core/matrix.hpp"
#include "kernels/router.hpp"

namespace switchyard {

class SelectionBias {
 public:
  /// Reads the parameters `bias`, `bias_rounds` and `bias_rate`.
  explicit SelectionBias(Parameters& parameters);

  /// Throws InvalidInput if `bias` was given for another number of experts.
  void check_experts(std::size_t experts) const;

  /// How often the rule is applied.
  [[nodiscard]] std::int64_t rounds() const { return rounds_; }

  /// The values to start from, one per expert; zeros if none were given.
  [[nodiscard]] std::vector<float> start(std::size_t experts) const;

  /// One update (Wang et al. 2024, arXiv 2408.15664, algorithm 1): the bias of an expert goes up by
  /// the rate if its load is below the mean, down if above.
  void update(std::span<const std::int32_t> expert_ids, std::vector<float>& bias) const;

 private:
  std::vector<float> given_;
  std::int64_t rounds_;
  float rate_;
};

}  // namespace switchyard
