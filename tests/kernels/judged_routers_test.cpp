// Every router of logits against a float64 judge, on the rows that go wrong first. The CPU form is
// judged; that every other executor gives its bits is tested in tests/emulation, where top_k and
// group_limited_top_k have judges of their own. random and hash look at no logits.
#include "tests/kernels/judged_routers.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

TEST_P(Judged, TopK) {
  expect_top_k(route("top_k", {{"k", 5}}), false);
  expect_top_k(route("top_k", {{"k", 5}, {"renormalise", false}}), true);
}

TEST_P(Judged, SwitchTop1) {
  expect_top_k(route("switch_top_1"), true);
}

TEST_P(Judged, NoisyTopKWithoutNoise) {
  expect_top_k(route("noisy_top_k", {{"k", 3}, {"noise", 0}}), false);
}

TEST_P(Judged, ReadMe) {
  const RoutingDecision first = route("read_me", {{"k", 3}});
  expect_top_k(first, false);
  RouterInput later = input();
  later.previous_layer = &first;
  later.layer = 1;
  EXPECT_EQ(make_router("read_me", {{"k", 3}})->route(later), first);
}

TEST_P(Judged, ScMoE) {
  const RoutingDecision decision = route("scmoe", {{"k", 2}, {"weak_rank", 3}});
  expect_top_k(decision, false);
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    const auto order = judge::in_order(row(token));
    EXPECT_EQ(decision.second_ids(token, 0), order.size() > 2 ? order[2] : kNoExpert);
    EXPECT_EQ(decision.second_weights(token, 0), order.size() > 2 ? 1.0F : 0.0F);
  }
}

TEST_P(Judged, SigmoidBias) {
  std::vector<float> bias(logits_.columns());
  RandomStream random(8, {});
  for (float& value : bias) {
    value = 0.2F * static_cast<float>(random.normal());
  }
  const auto decision =
      route("sigmoid_bias", {{"k", 5}, {"bias", bias}, {"scale", 2.5}, {"bias_rounds", 0}});
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    SCOPED_TRACE(fmt::format("token {}", token));
    const Scores scores = judge::sigmoid(row(token));
    Scores biased = scores;
    std::transform(biased.begin(), biased.end(), bias.begin(), biased.begin(), std::plus<>());
    const auto ids = decision.expert_ids.row(token);
    judge::expect_best(biased, ids, judge::Slack{.absolute = 1e-6});
    double sum = 0;
    for (const std::int32_t expert : chosen(ids)) {
      sum += scores[static_cast<std::size_t>(expert)];
    }
    Scores weights = scores;
    for (double& weight : weights) {
      weight *= 2.5 / sum;
    }
    judge::expect_weights(ids, decision.weights.row(token), weights);
  }
}

TEST_P(Judged, TopP) {
  constexpr double kShare = 0.7;
  const std::size_t width = std::min<std::size_t>(8, logits_.columns());
  const auto decision = route("top_p", {{"p", kShare}, {"width", width}});
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    SCOPED_TRACE(fmt::format("token {}", token));
    const Scores shares = judge::softmax(row(token));
    const auto ids = decision.expert_ids.row(token);
    const auto kept = chosen(ids);
    auto order = judge::in_order(row(token));
    order.resize(std::min({order.size(), width, kept.size()}));
    EXPECT_EQ(kept, order);
    double before = 0;  // the sum without the last one, which was still needed
    for (std::size_t slot = 0; slot + 1 < kept.size(); ++slot) {
      before += shares[static_cast<std::size_t>(kept[slot])];
    }
    EXPECT_LT(before, kShare + 1e-5);
    if (kept.size() < std::min(width, judge::in_order(row(token)).size())) {
      EXPECT_GE(before + shares[static_cast<std::size_t>(kept.back())], kShare - 1e-5);
    }
    judge::expect_weights(ids, decision.weights.row(token), shares);
  }
}

TEST_P(Judged, ExpertChoice) {
  const auto tokens = static_cast<double>(logits_.rows());
  const auto experts = static_cast<double>(logits_.columns());
  const auto scores = by_expert([this](std::size_t token) {
    Scores shares = judge::softmax(row(token));
    for (std::size_t expert = 0; expert < shares.size(); ++expert) {
      shares[expert] = judge::is_valid(logits_(token, expert)) ? shares[expert] : kMasked;
    }
    return shares;
  });
  expect_experts_took(
      route("expert_choice", {{"capacity", 3.0}, {"width", logits_.columns()}}),
      scores,
      std::vector<std::size_t>(scores.size(),
                               std::min(logits_.rows(), rounded_up(3.0 * tokens / experts))));
}

TEST_P(Judged, MoMa) {
  const auto images = static_cast<double>(
      std::count_if(modality_.begin(), modality_.end(), [](std::uint8_t one) { return one != 0; }));
  const auto image_experts =
      static_cast<std::size_t>(std::llround(0.5 * static_cast<double>(logits_.columns())));
  const std::size_t text_experts = logits_.columns() - image_experts;
  const auto scores = by_expert([&](std::size_t token) {
    Scores shares = judge::sigmoid(row(token));
    const bool is_image = modality_[token] != 0;
    for (std::size_t expert = 0; expert < shares.size(); ++expert) {
      shares[expert] = (expert >= text_experts) == is_image ? shares[expert] : kMasked;
    }
    return shares;
  });
  const double texts = static_cast<double>(logits_.rows()) - images;
  std::vector<std::size_t> capacity(logits_.columns(),
                                    rounded_up(2.0 * texts / static_cast<double>(text_experts)));
  std::fill(capacity.begin() + static_cast<std::ptrdiff_t>(text_experts),
            capacity.end(),
            rounded_up(2.0 * images / static_cast<double>(image_experts)));
  expect_experts_took(
      route("moma", {{"image_experts", 0.5}, {"capacity", 2.0}, {"width", logits_.columns()}}),
      scores,
      capacity);
}

TEST_P(Judged, AdapMoE) {
  // sqrt(threshold / sensitivity) is the least weight that stays.
  const auto decision =
      route("adapmoe", {{"threshold", 0.1}, {"sensitivity", nlohmann::json::array({2.0})}});
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    expect_pruned(decision, token, std::sqrt(0.1 / 2.0));
  }
}

TEST_P(Judged, McMoE) {
  constexpr double kRatio = 0.6;
  const auto decision = route("mc_moe", {{"ratio", kRatio}, {"protected", 0.3}});
  Scores norms;
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    const auto state = hidden_.row(token);
    norms.push_back(std::accumulate(state.begin(), state.end(), 0.0, [](double sum, float value) {
      return sum + std::fabs(double{value});
    }));
  }
  auto important = judge::in_order(norms);
  important.resize(rounded_up(0.3 * static_cast<double>(logits_.rows())));
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    const bool is_protected =
        std::find(important.begin(), important.end(), static_cast<std::int32_t>(token)) !=
        important.end();
    expect_pruned(decision, token, is_protected ? 0.0 : kRatio / (1 + kRatio));
  }
}

TEST_P(Judged, MixtureOfDepths) {
  const auto decision = route("mixture_of_depths", {{"every", 1}, {"capacity", 0.4}, {"k", 3}});
  Scores means;
  std::vector<bool> alive;
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    SCOPED_TRACE(fmt::format("token {}", token));
    const Scores scores = row(token);
    means.push_back(std::accumulate(scores.begin(), scores.end(), 0.0) /
                    static_cast<double>(scores.size()));
    alive.push_back(decision.alive[token] != 0);
    const auto ids = decision.expert_ids.row(token);
    if (alive.back()) {
      judge::expect_best(scores, ids, judge::kNone);
    }
    judge::expect_weights(ids, decision.weights.row(token), judge::softmax(scores, chosen(ids)));
    EXPECT_TRUE(alive.back() || chosen(ids).empty());
  }
  judge::expect_taken(
      means, alive, rounded_up(0.4 * static_cast<double>(logits_.rows())), judge::kOfLogit);
}

TEST_P(Judged, MoR1E) {
  const auto decision = route("mor1e", {{"k", 3}});
  for (std::size_t first = 0; first < logits_.rows(); first += 10) {
    SCOPED_TRACE(fmt::format("the sequence of token {}", first));
    const std::size_t last = std::min(first + 10, logits_.rows());
    Scores means;
    for (std::size_t expert = 0; expert < logits_.columns(); ++expert) {
      double sum = 0;
      double count = 0;
      for (std::size_t token = first; token < last; ++token) {
        const double logit = logits_(token, expert);
        sum += std::isfinite(logit) ? logit : 0.0;
        count += std::isfinite(logit) ? 1.0 : 0.0;
      }
      means.push_back(count > 0 ? sum / count : kMasked);
    }
    const auto ids = decision.expert_ids.row(first);
    judge::expect_best(means, ids, judge::kOfLogit);
    for (std::size_t token = first; token < last; ++token) {
      EXPECT_TRUE(std::ranges::equal(decision.expert_ids.row(token), ids));
      judge::expect_weights(ids,
                            decision.weights.row(token),
                            judge::softmax(means, chosen(ids)),
                            judge::Slack{.relative = 1e-5});
    }
  }
}

TEST_P(Judged, MoEPlusPlusOverTwoLayers) {
  const auto router =
      make_router("moe_plus_plus", {{"k", 3}, {"residual", 0.5}, {"executor", "cpu"}});
  const Matrix<float> first_logits =
      judge::corner_logits(logits_.rows(), logits_.columns(), 4);  // other values, same corners
  const RoutingDecision first = router->route(logits_only(first_logits));
  RouterInput second_input = input();
  second_input.previous_layer = &first;
  second_input.layer = 1;
  const RoutingDecision second = router->route(second_input);
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    SCOPED_TRACE(fmt::format("token {}", token));
    Scores scores = row(token);
    for (std::size_t expert = 0; expert < scores.size(); ++expert) {
      const double before = first_logits(token, expert);
      scores[expert] += std::isfinite(before) ? 0.5 * before : 0.0;
    }
    const auto ids = second.expert_ids.row(token);
    judge::expect_best(scores, ids, judge::kOfLogit);
    Scores weights = judge::softmax(scores);
    weights.back() = 0;  // the zero expert
    double sum = 0;
    for (const std::int32_t expert : chosen(ids)) {
      sum += weights[static_cast<std::size_t>(expert)];
    }
    for (double& weight : weights) {
      weight = sum > 0 ? weight / sum : 0.0;
    }
    judge::expect_weights(
        ids, second.weights.row(token), weights, judge::Slack{.relative = 2e-5, .absolute = 1e-37});
  }
}

TEST_P(Judged, Sinkhorn) {
  if (logits_.rows() == 1) {
    GTEST_SKIP() << "balancing makes the scores of a single token equal, up to rounding";
  }
  constexpr int kRounds = 3;
  const auto decision = route("sinkhorn", {{"k", 2}, {"rounds", kRounds}, {"tolerance", 0.0}});
  std::vector<Scores> shares;
  double counted = 0;
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    shares.push_back(judge::softmax(row(token)));
    counted += judge::in_order(row(token)).empty() ? 0.0 : 1.0;
  }
  const std::size_t experts = logits_.columns();
  Scores scale(experts, 1.0);
  for (int round = 0; round < kRounds; ++round) {
    Scores columns(experts, 0.0);
    for (const Scores& share : shares) {
      const double sum = std::inner_product(share.begin(), share.end(), scale.begin(), 0.0);
      for (std::size_t expert = 0; expert < experts; ++expert) {
        columns[expert] += sum > 0 ? share[expert] / sum : 0.0;
      }
    }
    for (std::size_t expert = 0; expert < experts; ++expert) {
      scale[expert] = columns[expert] > 0 ? counted / static_cast<double>(experts) / columns[expert]
                                          : scale[expert];
    }
  }
  for (std::size_t token = 0; token < logits_.rows(); ++token) {
    SCOPED_TRACE(fmt::format("token {}", token));
    Scores balanced = row(token);
    for (std::size_t expert = 0; expert < experts; ++expert) {
      balanced[expert] += std::log(scale[expert]);
    }
    const auto ids = decision.expert_ids.row(token);
    judge::expect_best(balanced, ids, judge::Slack{.absolute = 1e-4});
    judge::expect_weights(ids, decision.weights.row(token), shares[token]);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes,
                         Judged,
                         testing::Values(JudgedShape{1, 16},
                                         JudgedShape{33, 60},
                                         JudgedShape{67, 64},
                                         JudgedShape{40, 7},
                                         JudgedShape{24, 255}),
                         [](const auto& test) {
                           return fmt::format("t{}_e{}", test.param.tokens, test.param.experts);
                         });

}  // namespace
}  // namespace switchyard
