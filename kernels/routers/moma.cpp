// MoMa (arXiv 2407.21770): experts belong to a modality; a token may only use those of its own, and
// there each expert takes its best tokens by sigmoid score (expert choice). Without modalities in
// the workload every token is text. The training-time Gumbel noise is left out.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/device/expert_side_on_device.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/expert_side.hpp"

namespace switchyard {
namespace {

constexpr float kOtherModality = -std::numeric_limits<float>::infinity();

class MoMaRouter final : public Router {
 public:
  explicit MoMaRouter(Parameters& parameters)
      : image_share_(parameters.get_number("image_experts",
                                           0.5,
                                           {0.0, 1.0},
                                           "share of the experts that serve image tokens, the "
                                           "last ones")),
        capacity_(parameters.get_number(
            "capacity", 1.0, {0.0, 1024.0}, "experts that a token gets on average")),
        width_(static_cast<std::size_t>(parameters.get_integer(
            "width", 4, {1, 1024}, "most experts of a token that are kept, the best ones"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return width_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    const std::size_t experts = input.logits.columns();
    const auto image_experts =
        static_cast<std::size_t>(std::llround(image_share_ * static_cast<double>(experts)));
    const std::size_t text_experts = experts - image_experts;
    const auto is_image = [&](std::size_t token) {
      return !input.modality.empty() && input.modality[token] != 0;
    };
    std::size_t images = 0;
    for (std::size_t token = 0; token < tokens; ++token) {
      images += is_image(token) ? 1 : 0;
    }
    std::vector<std::size_t> capacity(experts, capacity_of(tokens - images, text_experts));
    std::fill(capacity.begin() + static_cast<std::ptrdiff_t>(text_experts),
              capacity.end(),
              capacity_of(images, image_experts));
    if (takes_gpu(executor_, experts, width_, kRowRoom)) {
      return route_on_device(input, capacity, text_experts);
    }
    Matrix<float> scores(experts, tokens, kOtherModality);
    for_each_token(
        tokens,
        [&] { return std::vector<float>(experts); },
        [&](std::size_t token, std::vector<float>& probabilities) {
          sigmoid_row(input.logits.row(token), probabilities);
          const std::size_t first = is_image(token) ? text_experts : 0;
          const std::size_t last = is_image(token) ? experts : text_experts;
          for (std::size_t expert = first; expert < last; ++expert) {
            scores(expert, token) = input.logits(token, expert) > kOtherModality
                                        ? probabilities[expert]
                                        : kOtherModality;
          }
        });
    return by_token(best_tokens(scores, capacity), scores, width_);
  }

 private:
  [[nodiscard]] RoutingDecision route_on_device(const RouterInput& input,
                                                std::span<const std::size_t> capacity,
                                                std::size_t text_experts) const {
    RowsOnDevice rows(input.logits, width_);
    const DeviceArray<std::uint8_t> modality(rows.device(), input.modality);
    RowArguments arguments = rows.arguments();
    arguments.modality = modality.address();
    arguments.text_experts = static_cast<std::int32_t>(text_experts);
    std::vector<std::int32_t> tokens_of_expert;
    for (const std::size_t tokens : capacity) {
      tokens_of_expert.push_back(static_cast<std::int32_t>(std::min(tokens, input.logits.rows())));
    }
    return expert_choice_on_device(rows, "moma", arguments, tokens_of_expert);
  }

  [[nodiscard]] std::size_t capacity_of(std::size_t tokens, std::size_t experts) const {
    return experts == 0
               ? 0
               : static_cast<std::size_t>(std::ceil(capacity_ * static_cast<double>(tokens) /
                                                    static_cast<double>(experts)));
  }

  double image_share_;
  double capacity_;
  std::size_t width_;
  Executor executor_;
};

const Register<Router, MoMaRouter> kMoMa{"moma",
                                         "experts by modality, expert choice within each (MoMa)"};

}  // namespace
}  // namespace switchyard
