#include "sim/expert_size.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 3> kForms{"full", "mpo", "rank_one"};
constexpr std::int64_t kMostMpoFactors = 16;
constexpr std::int64_t kLargestMpoFactor = 1 << 20;
constexpr std::int64_t kLargestProduct = std::int64_t{1} << 40;

std::vector<std::int64_t> read_factors(Parameters& parameters,
                                       const std::string& name,
                                       const std::string& sentence) {
  const nlohmann::json given = parameters.get_json(name, sentence);
  std::vector<std::int64_t> factors;
  const Location where = parameters.where().child(name);
  if (!given.is_null() && !given.is_array()) {
    throw InvalidInput("wanted a list of whole numbers", where);
  }
  for (const nlohmann::json& value : given) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > kLargestMpoFactor) {
      throw InvalidInput(fmt::format("{} is no factor of a width", value.dump()), where);
    }
    factors.push_back(value.get<std::int64_t>());
  }
  return factors;
}

// Capped, so that absurd factors do not overflow: no width comes near.
std::int64_t product(const std::vector<std::int64_t>& factors) {
  std::int64_t all = 1;
  for (const std::int64_t factor : factors) {
    all = std::min(all * factor, kLargestProduct);
  }
  return all;
}

// One matrix as a chain of tensors.
struct MpoSize {
  std::int64_t shared_elements = 0;
  std::int64_t private_elements = 0;
  double rebuild_flops = 0;
};

MpoSize mpo_size(const WeightForm& form) {
  MpoSize size;
  const std::size_t count = form.input_factors.size();
  std::int64_t before = 1;  // elements of the matrix part already covered
  std::int64_t after = product(form.input_factors) * product(form.output_factors);
  std::int64_t bond = 1;
  for (std::size_t k = 0; k < count; ++k) {
    const std::int64_t block = form.input_factors[k] * form.output_factors[k];
    after /= block;
    const std::int64_t next_bond = std::min(before * block, after);
    const std::int64_t elements = bond * block * next_bond;
    (k == count / 2 ? size.shared_elements : size.private_elements) += elements;
    if (k > 0) {  // contract what is covered, [before, bond], with [bond, block x next bond]
      size.rebuild_flops += 2.0 * static_cast<double>(before) * static_cast<double>(elements);
    }
    before *= block;
    bond = next_bond;
  }
  return size;
}

}  // namespace

ExpertSize expert_size(const ModelCost& model) {
  const std::int64_t element = element_bytes(model.dtype, {});
  const std::int64_t matrices = model.matrices();
  const std::int64_t full = model.hidden * model.expert_hidden;
  const std::int64_t vectors = model.hidden + model.expert_hidden;
  const auto flops = [&](std::int64_t elements) {
    return 2.0 * static_cast<double>(matrices) * static_cast<double>(elements);
  };
  switch (model.weights.kind) {
    case WeightForm::Kind::Mpo: {
      const MpoSize size = mpo_size(model.weights);
      return {.private_bytes = matrices * size.private_elements * element,
              .shared_bytes = matrices * size.shared_elements * element,
              .flops_per_row = flops(full),
              .rebuild_flops = static_cast<double>(matrices) * size.rebuild_flops};
    }
    case WeightForm::Kind::RankOne:
      return {.private_bytes = matrices * vectors * element,
              .shared_bytes = 0,
              .flops_per_row = flops(vectors),
              .rebuild_flops = 0};
    default:
      return {.private_bytes = matrices * full * element,
              .shared_bytes = 0,
              .flops_per_row = flops(full),
              .rebuild_flops = 0};
  }
}

WeightForm read_weight_form(Parameters& parameters) {
  const std::string name = parameters.get_choice(
      "weights",
      "full",
      kForms,
      "how an expert is stored: full matrices, mpo (its central tensor shared by the layer's "
      "experts), or rank_one adapters");
  WeightForm form;
  form.kind =
      static_cast<WeightForm::Kind>(std::find(kForms.begin(), kForms.end(), name) - kForms.begin());
  form.input_factors = read_factors(parameters, "mpo_input", "mpo: factors of hidden");
  form.output_factors = read_factors(parameters, "mpo_output", "mpo: factors of expert_hidden");
  return form;
}

void check_weight_form(const ModelCost& model, const Location& where) {
  const WeightForm& form = model.weights;
  if (form.kind != WeightForm::Kind::Mpo) {
    return;
  }
  const std::size_t count = form.input_factors.size();
  const bool has_centre = count == form.output_factors.size() && count % 2 == 1 &&
                          count <= static_cast<std::size_t>(kMostMpoFactors);
  if (!has_centre) {
    throw InvalidInput(fmt::format("{} input and {} output factors: wanted the same odd number, so "
                                   "that one tensor is central",
                                   count,
                                   form.output_factors.size()),
                       where.child("mpo_input"));
  }
  const auto check =
      [&](const std::vector<std::int64_t>& factors, std::int64_t width, const char* key) {
        if (product(factors) != width) {
          throw InvalidInput(
              fmt::format(
                  "{} multiply to {}, not {}", fmt::join(factors, " x "), product(factors), width),
              where.child(key));
        }
      };
  check(form.input_factors, model.hidden, "mpo_input");
  check(form.output_factors, model.expert_hidden, "mpo_output");
}

}  // namespace switchyard
