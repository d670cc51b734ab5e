// Switch Transformer (Fedus, Zoph, Shazeer 2021, arXiv 2101.03961), equations 1 and 2: one expert
// per token, weighed by its probability among all experts. The same as top_k with k = 1 and without
// renormalising, which would make every weight 1.
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class SwitchTop1Router final : public Router {
 public:
  explicit SwitchTop1Router(Parameters& parameters) : executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return 1; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    if (takes_gpu(executor_, input.logits.columns(), 1, kTopKRoom)) {
      return top_k_on_device(input.logits, {.slots = 1, .is_renormalised = false});
    }
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), 1);
    for_each_token(
        input.logits.rows(),
        [&] { return RowSelector(input.logits.columns(), 1); },
        [&](std::size_t token, RowSelector& selector) {
          selector.select(input.logits.row(token), decision.expert_ids.row(token));
          softmax_of_all(
              input.logits.row(token), decision.expert_ids.row(token), decision.weights.row(token));
        });
    return decision;
  }

 private:
  Executor executor_;
};

const Register<Router, SwitchTop1Router> kSwitchTop1{
    "switch_top_1", "the best expert, weighed by its softmax over all (Switch Transformer)"};

}  // namespace
}  // namespace switchyard
