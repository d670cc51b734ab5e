// Read-ME's pre-gating (NeurIPS 2024, arXiv 2410.19123): one decision for all layers, made before
// the first. Here it is the top-k of layer 0's logits; the paper's own small transformer is not
// part of a trace.
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class ReadMeRouter final : public Router {
 public:
  explicit ReadMeRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts kept for each token"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] bool decides_before_first_layer() const override { return true; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    if (input.previous_layer != nullptr) {
      return *input.previous_layer;
    }
    if (takes_gpu(executor_, input.logits.columns(), k_, kTopKRoom)) {
      return top_k_on_device(input.logits, {.slots = k_});
    }
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), k_);
    for_each_token(
        input.logits.rows(),
        [&] { return RowSelector(input.logits.columns(), k_); },
        [&](std::size_t token, RowSelector& selector) {
          selector.select(input.logits.row(token), decision.expert_ids.row(token));
          softmax_of_chosen(
              input.logits.row(token), decision.expert_ids.row(token), decision.weights.row(token));
        });
    return decision;
  }

 private:
  std::size_t k_;
  Executor executor_;
};

const Register<Router, ReadMeRouter> kReadMe{
    "read_me", "one decision before the first layer, used in all of them (Read-ME)"};

}  // namespace
}  // namespace switchyard
