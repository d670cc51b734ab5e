// Optimal string alignment distance over short names; quadratic, which is fine for them.
#include "core/components/suggestion.hpp"

#include <algorithm>

#include "core/matrix.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kShortestAbbreviation = 3;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  Matrix<std::size_t> cost(a.size() + 1, b.size() + 1);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    cost(i, 0) = i;
  }
  for (std::size_t j = 0; j <= b.size(); ++j) {
    cost(0, j) = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = cost(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost(i, j) = std::min({cost(i - 1, j) + 1, cost(i, j - 1) + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost(i, j) = std::min(cost(i, j), cost(i - 2, j - 2) + 1);
      }
    }
  }
  return cost(a.size(), b.size());
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view typed,
                                        std::span<const std::string> known) {
  // An abbreviation ("h100" for "h100_sxm") is no typing error, but as clear, unless several fit.
  const auto begins = [&](const std::string& name) { return name.starts_with(typed); };
  if (typed.size() >= kShortestAbbreviation &&
      std::count_if(known.begin(), known.end(), begins) == 1) {
    return *std::find_if(known.begin(), known.end(), begins);
  }
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, typed.size() / 3) + 1;
  for (const std::string& name : known) {
    const std::size_t distance = edit_distance(typed, name);
    if (distance < best_distance && distance < name.size()) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion_hint(std::string_view typed, std::span<const std::string> known) {
  if (const auto name = nearest_name(typed, known)) {
    return "did you mean \"" + *name + "\"?";
  }
  static constexpr std::size_t kShown = 10;
  std::string hint = "known: ";
  for (std::size_t i = 0; i < std::min(known.size(), kShown); ++i) {
    hint += (i == 0 ? "" : ", ") + known[i];
  }
  return known.size() > kShown ? hint + ", ..." : hint;
}

}  // namespace switchyard
