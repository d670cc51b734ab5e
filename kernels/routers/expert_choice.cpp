// Expert choice (Zhou et al. 2022, arXiv 2202.09368, equations 1 and 2): each expert takes its best
// c = tokens * capacity / experts tokens of the chunk by softmax score, so loads are equal and a
// token may get many experts or none. The paper chooses over the whole batch; here, over the tokens
// of one source rank.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/device/expert_side_on_device.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/expert_side.hpp"

namespace switchyard {
namespace {

class ExpertChoiceRouter final : public Router {
 public:
  explicit ExpertChoiceRouter(Parameters& parameters)
      : capacity_(parameters.get_number(
            "capacity", 2.0, {0.0, 1024.0}, "experts that a token gets on average")),
        width_(static_cast<std::size_t>(parameters.get_integer(
            "width", 8, {1, 1024}, "most experts of a token that are kept, the best ones"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return width_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    const std::size_t experts = input.logits.columns();
    const auto taken =
        std::min(tokens,
                 static_cast<std::size_t>(std::ceil(capacity_ * static_cast<double>(tokens) /
                                                    static_cast<double>(experts))));
    if (takes_gpu(executor_, experts, width_, kRowRoom)) {
      RowsOnDevice rows(input.logits, width_);
      const std::vector<std::int32_t> capacity(experts, static_cast<std::int32_t>(taken));
      return expert_choice_on_device(rows, "expert_choice", rows.arguments(), capacity);
    }
    Matrix<float> scores(experts, tokens);
    for_each_token(
        tokens,
        [&] { return std::vector<float>(experts); },
        [&](std::size_t token, std::vector<float>& probabilities) {
          softmax_row(input.logits.row(token), probabilities);
          for (std::size_t expert = 0; expert < experts; ++expert) {
            const bool is_valid =
                input.logits(token, expert) > -std::numeric_limits<float>::infinity();
            scores(expert, token) =
                is_valid ? probabilities[expert] : -std::numeric_limits<float>::infinity();
          }
        });
    return by_token(best_tokens(scores, std::vector<std::size_t>(experts, taken)), scores, width_);
  }

 private:
  double capacity_;
  std::size_t width_;
  Executor executor_;
};

const Register<Router, ExpertChoiceRouter> kExpertChoice{
    "expert_choice", "each expert takes its best tokens (Zhou et al. 2022)"};

}  // namespace
}  // namespace switchyard
