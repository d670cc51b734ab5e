// Exponentials run over whole rows so that compilers vectorise them; sums follow the tree of
// pairwise_sum(), which the kernels' butterfly reductions reproduce.
#include "kernels/selection/softmax.hpp"

#include <array>
#include <limits>
#include <vector>

#include "core/check.hpp"
#include "kernels/device/router_math.cuh"
#include "kernels/selection/isa_versions.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

struct TermsJob {
  const float* in;
  float* out;
  std::size_t count;
  float top;  // largest valid value of the row
};

SWITCHYARD_ISA_BODY void terms_below_top_body(const TermsJob& job) {
  for (std::size_t at = 0; at < job.count; ++at) {
    const float logit = job.in[at];
    const bool is_valid = logit > kMinusInfinity;
    const float term = exp_below_top(is_valid ? logit : job.top, job.top);
    job.out[at] = is_valid ? term : 0.0F;
  }
}

SWITCHYARD_ISA_BODY void sigmoids_body(const TermsJob& job) {
  for (std::size_t at = 0; at < job.count; ++at) {
    const float score = job.in[at];
    const float probability = sigmoid_reproducible(score == score ? score : 0.0F);
    job.out[at] = score == score ? probability : score;
  }
}

SWITCHYARD_ISA_BODY void divide_body(const TermsJob& job) {
  for (std::size_t at = 0; at < job.count; ++at) {
    job.out[at] = divide_rounded(job.in[at], job.top);
  }
}

struct ChosenJob {
  const float* logits;
  const std::int32_t* ids;  // the first is an expert
  float* weights;
  std::size_t slots;
};

constexpr std::size_t kFewChosen = 8;

/// The usual few choices as one vector. Places beyond the last slot weigh nothing, which the rule
/// "sums" does not see.
SWITCHYARD_ISA_BODY void softmax_of_few_body(const ChosenJob& job) {
  float logits[kFewChosen];
  for (std::size_t slot = 0; slot < kFewChosen; ++slot) {
    const std::int32_t id = slot < job.slots ? job.ids[slot] : kNoExpert;
    logits[slot] = kMinusInfinity;
    if (id != kNoExpert) {
      logits[slot] = job.logits[id];
    }
  }
  float terms[kFewChosen];
  terms_below_top_body({logits, terms, kFewChosen, logits[0]});
  const float first = add_rounded(add_rounded(terms[0], terms[1]), add_rounded(terms[2], terms[3]));
  const float last = add_rounded(add_rounded(terms[4], terms[5]), add_rounded(terms[6], terms[7]));
  const float sum = add_rounded(first, last);
  for (std::size_t slot = 0; slot < job.slots; ++slot) {
    job.weights[slot] = divide_rounded(terms[slot], sum);
  }
}

SWITCHYARD_ISA_VERSIONS(terms_below_top, TermsJob)
SWITCHYARD_ISA_VERSIONS(sigmoids, TermsJob)
SWITCHYARD_ISA_VERSIONS(divide, TermsJob)
SWITCHYARD_ISA_VERSIONS(softmax_of_few, ChosenJob)

/// A short array on the stack, or a long one on the heap.
class Scratch {
 public:
  explicit Scratch(std::size_t count) {
    if (count > short_.size()) {
      long_.resize(count);
    }
  }

  float* values() { return long_.empty() ? short_.data() : long_.data(); }

 private:
  std::array<float, 1024> short_;
  std::vector<float> long_;
};

float sum_of(const float* values, std::size_t count) {
  Scratch copy(count);
  std::copy(values, values + count, copy.values());
  return pairwise_sum(copy.values(), static_cast<int>(count));
}

/// The largest valid logit, or -infinity.
float top_of(std::span<const float> logits) {
  float top = kMinusInfinity;
  for (const float logit : logits) {
    top = logit > top ? logit : top;
  }
  return top;
}

}  // namespace

void softmax_row(std::span<const float> logits, std::span<float> probabilities) {
  SWITCHYARD_CHECK(logits.size() == probabilities.size(), "one probability for each logit");
  const float top = top_of(logits);
  if (!(top > kMinusInfinity)) {
    std::fill(probabilities.begin(), probabilities.end(), 0.0F);
    return;
  }
  terms_below_top({logits.data(), probabilities.data(), logits.size(), top});
  const float sum = sum_of(probabilities.data(), probabilities.size());
  divide({probabilities.data(), probabilities.data(), probabilities.size(), sum});
}

void softmax_of_chosen(std::span<const float> logits,
                       std::span<const std::int32_t> ids,
                       std::span<float> weights) {
  SWITCHYARD_CHECK(ids.size() == weights.size(), "one weight for each choice");
  if (ids.empty() || ids[0] == kNoExpert) {
    std::fill(weights.begin(), weights.end(), 0.0F);
    return;
  }
  if (ids.size() <= kFewChosen) {
    softmax_of_few({logits.data(), ids.data(), weights.data(), ids.size()});
    return;
  }
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    weights[slot] = kMinusInfinity;
    if (ids[slot] != kNoExpert) {
      weights[slot] = logits[static_cast<std::size_t>(ids[slot])];
    }
  }
  terms_below_top({weights.data(), weights.data(), weights.size(), weights[0]});
  const float sum = sum_of(weights.data(), weights.size());
  divide({weights.data(), weights.data(), weights.size(), sum});
}

void softmax_of_all(std::span<const float> logits,
                    std::span<const std::int32_t> ids,
                    std::span<float> weights) {
  SWITCHYARD_CHECK(ids.size() == weights.size(), "one weight for each choice");
  if (ids.empty() || ids[0] == kNoExpert) {
    std::fill(weights.begin(), weights.end(), 0.0F);
    return;
  }
  Scratch terms(logits.size());
  const float top = logits[static_cast<std::size_t>(ids[0])];
  terms_below_top({logits.data(), terms.values(), logits.size(), top});
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    weights[slot] =
        ids[slot] == kNoExpert ? 0.0F : terms.values()[static_cast<std::size_t>(ids[slot])];
  }
  const float sum = pairwise_sum(terms.values(), static_cast<int>(logits.size()));
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    weights[slot] = ids[slot] == kNoExpert ? 0.0F : divide_rounded(weights[slot], sum);
  }
}

void sigmoid_row(std::span<const float> scores, std::span<float> probabilities) {
  SWITCHYARD_CHECK(scores.size() == probabilities.size(), "one probability for each score");
  sigmoids({scores.data(), probabilities.data(), scores.size(), 0.0F});
}

void take_chosen(std::span<const float> scores,
                 std::span<const std::int32_t> ids,
                 std::span<float> weights) {
  SWITCHYARD_CHECK(ids.size() == weights.size(), "one weight for each choice");
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    weights[slot] = ids[slot] == kNoExpert ? 0.0F : scores[static_cast<std::size_t>(ids[slot])];
  }
}

void normalise_row(std::span<float> weights) {
  const float sum = sum_of(weights.data(), weights.size());
  if (sum > 0.0F) {
    divide({weights.data(), weights.data(), weights.size(), sum});
  }
}

}  // namespace switchyard
