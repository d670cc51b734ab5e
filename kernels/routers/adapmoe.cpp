// AdapMoE's sensitivity-based gating (ICCAD 2024, arXiv 2408.10284; authors' code): two experts,
// but the second is left out where its normalised weight g and the layer's sensitivity S satisfy
// g^2 S < threshold. Without a measured table, sensitivity falls geometrically over the layers
// between the two ends of the authors' table for Mixtral 8x7B.
#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "kernels/device/rows_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class AdapMoERouter final : public Router {
 public:
  explicit AdapMoERouter(Parameters& parameters)
      : threshold_(parameters.get_number("threshold",
                                         0.005,
                                         {0.0, 1e6},
                                         "loss of accuracy that leaving an expert out may cost")),
        first_(parameters.get_number(
            "first_sensitivity", 46.7, {1e-9, 1e9}, "sensitivity of layer 0")),
        last_(parameters.get_number(
            "last_sensitivity", 0.02, {1e-9, 1e9}, "sensitivity of the last layer")),
        layers_(parameters.get_integer(
            "layers", 32, {1, 1 << 20}, "MoE layers over which the sensitivity falls")),
        table_(read_table(parameters)),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return 2; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const float least_kept = least_kept_weight(sensitivity_of(input.layer));
    if (takes_gpu(executor_, input.logits.columns(), 2, kRowRoom)) {
      RowsOnDevice rows(input.logits, 2);
      RowArguments arguments = rows.arguments();
      arguments.threshold = least_kept;
      rows.route("adapmoe", arguments);
      return rows.decision();
    }
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), 2);
    for_each_token(
        input.logits.rows(),
        [&] { return RowSelector(input.logits.columns(), 2); },
        [&](std::size_t token, RowSelector& selector) {
          const auto ids = decision.expert_ids.row(token);
          const auto weights = decision.weights.row(token);
          selector.select(input.logits.row(token), ids);
          softmax_of_chosen(input.logits.row(token), ids, weights);
          if (ids[1] != kNoExpert && weights[1] < least_kept) {
            ids[1] = kNoExpert;
            weights[0] = 1.0F;
            weights[1] = 0.0F;
          }
        });
    return decision;
  }

 private:
  static std::vector<double> read_table(Parameters& parameters) {
    const nlohmann::json values = parameters.get_json(
        "sensitivity", "measured sensitivity of each layer, a list that replaces the formula");
    std::vector<double> table;
    if (values.is_null()) {
      return table;
    }
    const Location where = parameters.where().child("sensitivity");
    if (!values.is_array() || values.empty()) {
      throw InvalidInput("the sensitivity must be a list of numbers", where, "one for each layer");
    }
    for (const nlohmann::json& value : values) {
      if (!value.is_number() || !(value.get<double>() >= 0)) {
        throw InvalidInput("\"" + value.dump() + "\" is not a number from 0", where);
      }
      table.push_back(value.get<double>());
    }
    return table;
  }

  [[nodiscard]] double sensitivity_of(std::int64_t layer) const {
    if (!table_.empty()) {
      return table_[std::min(static_cast<std::size_t>(layer), table_.size() - 1)];
    }
    const double position = layers_ == 1 ? 0.0
                                         : static_cast<double>(std::min(layer, layers_ - 1)) /
                                               static_cast<double>(layers_ - 1);
    return first_ * std::pow(last_ / first_, position);
  }

  /// The smallest float weight that the rule keeps, so that all executors compare floats; 2, which
  /// no weight reaches, if it keeps none.
  [[nodiscard]] float least_kept_weight(double sensitivity) const {
    const auto is_dropped = [&](std::uint32_t bits) {
      const double weight = float_of_bits(bits);
      return weight * weight * sensitivity < threshold_;
    };
    std::uint32_t kept = bits_of_float(2.0F);
    std::uint32_t low = 0;  // floats from 0 order like their bits
    while (low < kept) {
      const std::uint32_t middle = low + (kept - low) / 2;
      if (is_dropped(middle)) {
        low = middle + 1;
      } else {
        kept = middle;
      }
    }
    return float_of_bits(kept);
  }

  double threshold_;
  double first_;
  double last_;
  std::int64_t layers_;
  std::vector<double> table_;
  Executor executor_;
};

const Register<Router, AdapMoERouter> kAdapMoE{
    "adapmoe", "two experts, the second left out where it matters little (AdapMoE)"};

}  // namespace
}  // namespace switchyard
