#include "kernels/selection/selection_bias.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

std::vector<float> read_bias(Parameters& parameters) {
  const nlohmann::json values = parameters.get_json(
      "bias", "correction added to each expert's score for the selection only: a list of numbers");
  const Location where = parameters.where().child("bias");
  std::vector<float> bias;
  if (values.is_null()) {
    return bias;
  }
  if (!values.is_array()) {
    throw InvalidInput("the bias must be a list of numbers", where, "one for each expert");
  }
  for (const nlohmann::json& value : values) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      throw InvalidInput("\"" + value.dump() + "\" is not a number", where.child(bias.size()));
    }
    bias.push_back(static_cast<float>(value.get<double>()));
  }
  return bias;
}

}  // namespace

SelectionBias::SelectionBias(Parameters& parameters)
    : given_(read_bias(parameters)),
      rounds_(parameters.get_integer("bias_rounds",
                                     0,
                                     {0, 100000},
                                     "how often the bias is corrected on each chunk before it "
                                     "counts; 0 = as given")),
      rate_(static_cast<float>(parameters.get_number(
          "bias_rate", 0.001, {0, 1}, "how far one correction moves the bias of an expert"))) {}

void SelectionBias::check_experts(std::size_t experts) const {
  if (!given_.empty() && given_.size() != experts) {
    throw InvalidInput("the bias has " + std::to_string(given_.size()) + " numbers, the model " +
                           std::to_string(experts) + " experts",
                       {},
                       "give one number for each expert, or none");
  }
}

std::vector<float> SelectionBias::start(std::size_t experts) const {
  return given_.empty() ? std::vector<float>(experts, 0.0F) : given_;
}

void SelectionBias::update(std::span<const std::int32_t> expert_ids,
                           std::vector<float>& bias) const {
  std::vector<std::int64_t> load(bias.size(), 0);
  std::int64_t total = 0;
  for (const std::int32_t id : expert_ids) {
    if (id != kNoExpert) {
      ++load[static_cast<std::size_t>(id)];
      ++total;
    }
  }
  const auto experts = static_cast<std::int64_t>(bias.size());
  for (std::size_t expert = 0; expert < bias.size(); ++expert) {
    const std::int64_t excess = load[expert] * experts - total;
    bias[expert] += excess < 0 ? rate_ : (excess > 0 ? -rate_ : 0.0F);
  }
}

}  // namespace switchyard
