// What the tests of judged routers share: corner rows of logits, and comparisons with the judge.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/kernels/router_fixture.hpp"
#include "tests/support/judges/float64_judge.hpp"

namespace switchyard {

using judge::Scores;

struct JudgedShape {
  std::size_t tokens = 0;
  std::size_t experts = 0;

  friend void PrintTo(const JudgedShape& shape, std::ostream* out) {
    *out << shape.tokens << " tokens, " << shape.experts << " experts";
  }
};

class Judged : public ::testing::TestWithParam<JudgedShape> {
 protected:
  Judged() : logits_(judge::corner_logits(GetParam().tokens, GetParam().experts, 3)) {
    for (std::size_t token = 0; token < logits_.rows(); ++token) {
      modality_.push_back(static_cast<std::uint8_t>(token % 3 == 0));
      sequence_ids_.push_back(static_cast<std::int64_t>(token / 10));
    }
  }

  [[nodiscard]] RoutingDecision route(const std::string& router,
                                      nlohmann::json values = nlohmann::json::object()) const {
    values["executor"] = "cpu";
    return make_router(router, values)->route(input());
  }

  [[nodiscard]] RouterInput input() const {
    return {.logits = logits_.view(),
            .hidden = hidden_.view(),
            .modality = modality_,
            .sequence_ids = sequence_ids_};
  }

  [[nodiscard]] Scores row(std::size_t token) const { return judge::scores_of(logits_.row(token)); }

  /// The k best logits with a softmax over them, or over all.
  void expect_top_k(const RoutingDecision& decision, bool is_of_all) const {
    ASSERT_EQ(decision.expert_ids.rows(), logits_.rows());
    for (std::size_t token = 0; token < logits_.rows(); ++token) {
      SCOPED_TRACE(fmt::format("token {}", token));
      const auto ids = decision.expert_ids.row(token);
      judge::expect_best(row(token), ids, judge::kNone);
      judge::expect_weights(
          ids,
          decision.weights.row(token),
          is_of_all ? judge::softmax(row(token)) : judge::softmax(row(token), chosen(ids)));
    }
  }

  static std::vector<std::int32_t> chosen(std::span<const std::int32_t> ids) {
    std::vector<std::int32_t> experts(ids.begin(), ids.end());
    std::erase(experts, kNoExpert);
    return experts;
  }

  /// The two best of a token; the second stays where its weight is at least `least` (as a share of
  /// both), and where that is a matter of rounding either is right.
  void expect_pruned(const RoutingDecision& decision, std::size_t token, double least) const {
    SCOPED_TRACE(fmt::format("token {}", token));
    std::vector<std::int32_t> best = judge::in_order(row(token));
    best.resize(std::min<std::size_t>(best.size(), 2));
    const auto ids = decision.expert_ids.row(token);
    if (best.size() == 2) {
      const double second = judge::softmax(row(token), best)[static_cast<std::size_t>(best[1])];
      const bool is_close = std::fabs(second - least) < 1e-5;
      if (is_close ? ids[1] == kNoExpert : second < least) {
        best.pop_back();
      }
    }
    EXPECT_EQ(chosen(ids), best);
    judge::expect_weights(ids, decision.weights.row(token), judge::softmax(row(token), best));
  }

  /// Each expert's capacity best tokens; `scores` [experts][tokens].
  void expect_experts_took(const RoutingDecision& decision,
                           const std::vector<Scores>& scores,
                           const std::vector<std::size_t>& capacity) const {
    for (std::size_t expert = 0; expert < scores.size(); ++expert) {
      SCOPED_TRACE(fmt::format("expert {}", expert));
      std::vector<bool> taken(logits_.rows(), false);
      for (std::size_t token = 0; token < logits_.rows(); ++token) {
        const auto ids = decision.expert_ids.row(token);
        taken[token] =
            std::find(ids.begin(), ids.end(), static_cast<std::int32_t>(expert)) != ids.end();
      }
      judge::expect_taken(scores[expert], taken, capacity[expert], judge::kOfProbability);
    }
    for (std::size_t token = 0; token < logits_.rows(); ++token) {
      Scores of_token;
      for (const Scores& of_expert : scores) {
        of_token.push_back(of_expert[token]);
      }
      judge::expect_weights(decision.expert_ids.row(token), decision.weights.row(token), of_token);
    }
  }

  /// [experts][tokens] from a function of a token's logits.
  template <class OfRow>
  [[nodiscard]] std::vector<Scores> by_expert(const OfRow& of_row) const {
    std::vector<Scores> scores(logits_.columns(), Scores(logits_.rows()));
    for (std::size_t token = 0; token < logits_.rows(); ++token) {
      const Scores of_token = of_row(token);
      for (std::size_t expert = 0; expert < logits_.columns(); ++expert) {
        scores[expert][token] = of_token[expert];
      }
    }
    return scores;
  }

  [[nodiscard]] static std::size_t rounded_up(double value) {
    return static_cast<std::size_t>(std::ceil(value));
  }

  static constexpr double kMasked = -std::numeric_limits<double>::infinity();
  Matrix<float> logits_;
  Matrix<float> hidden_ = normal_matrix(GetParam().tokens, 20, 5);
  std::vector<std::uint8_t> modality_;
  std::vector<std::int64_t> sequence_ids_;
};

}  // namespace switchyard
