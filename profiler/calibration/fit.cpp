#include "profiler/calibration/fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <Eigen/Dense>
#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>
#include <unsupported/Eigen/NonLinearOptimization>

#include "core/error.hpp"
#include "core/numbers/random.hpp"

namespace switchyard {
namespace {

constexpr double kRobustScale = 0.05;  // errors beyond 5 % lose weight
constexpr double kConfidence = 0.975;  // each side of a 95 % interval
constexpr double kStep = 1e-5;         // of the central differences
constexpr double kWidestRatio = 3;     // high / value beyond which a constant is not determined
constexpr double kCopyDigits = 4;      // copies per token that differ by less are alike
constexpr double kLeastCurvature = 0.1;
constexpr std::uint64_t kPurposeStart = 0x66697473ULL;
constexpr std::uint64_t kPurposeHoldOut = 0x686f6c64ULL;

/// Bounded constants as unbounded variables: log x goes from log lowest to log highest as u goes
/// from minus to plus infinity.
double constant_at(const ConstantInfo& info, double u) {
  const double low = std::log(info.lowest);
  const double high = std::log(info.highest);
  return std::exp(low + (high - low) * (0.5 + 0.5 * std::tanh(u)));
}

double log_error(const ModelConstants& constants, const FitPoint& point) {
  return std::log(exchange_seconds(constants, point.features) / point.seconds);
}

/// Cauchy's loss as the square of a residual.
double robust_residual(double error) {
  const double ratio = error / kRobustScale;
  return std::copysign(kRobustScale * std::sqrt(std::log1p(ratio * ratio)), error);
}

/// The functor that Eigen's solver wants; names and types are the solver's.
class Problem {
 public:
  using Scalar = double;
  using InputType = Eigen::VectorXd;
  using ValueType = Eigen::VectorXd;
  using JacobianType = Eigen::MatrixXd;
  static constexpr int InputsAtCompileTime =
      Eigen::Dynamic;  // NOLINT(readability-identifier-naming)
  static constexpr int ValuesAtCompileTime =
      Eigen::Dynamic;  // NOLINT(readability-identifier-naming)

  Problem(const std::vector<FitPoint>& points, const FitOptions& options)
      : points_(points), options_(options) {}

  [[nodiscard]] int inputs() const { return static_cast<int>(options_.free.size()); }

  [[nodiscard]] int values() const { return static_cast<int>(points_.size()); }

  [[nodiscard]] ModelConstants constants(const Eigen::VectorXd& u) const {
    ModelConstants constants = options_.fixed;
    for (std::size_t i = 0; i < options_.free.size(); ++i) {
      constants[static_cast<std::size_t>(options_.free[i])] =
          constant_at(constant_info(options_.free[i]), u[static_cast<Eigen::Index>(i)]);
    }
    return constants;
  }

  int operator()(const Eigen::VectorXd& u, Eigen::VectorXd& residuals) const {
    const ModelConstants at = constants(u);
    for (std::size_t i = 0; i < points_.size(); ++i) {
      residuals[static_cast<Eigen::Index>(i)] = robust_residual(log_error(at, points_[i]));
    }
    return 0;
  }

  int df(const Eigen::VectorXd& u, Eigen::MatrixXd& jacobian) const {
    Eigen::VectorXd above(values());
    Eigen::VectorXd below(values());
    for (Eigen::Index j = 0; j < u.size(); ++j) {
      Eigen::VectorXd moved = u;
      moved[j] = u[j] + kStep;
      (*this)(moved, above);
      moved[j] = u[j] - kStep;
      (*this)(moved, below);
      jacobian.col(j) = (above - below) / (2 * kStep);
    }
    return 0;
  }

 private:
  const std::vector<FitPoint>& points_;
  const FitOptions& options_;
};

struct Candidate {
  Eigen::VectorXd u;
  double cost = std::numeric_limits<double>::infinity();
};

Candidate solve(const std::vector<FitPoint>& points, const FitOptions& options) {
  Problem problem(points, options);
  RandomStream random(options.seed, {kPurposeStart});
  Candidate best;
  for (int start = 0; start < options.starts; ++start) {
    Eigen::VectorXd u(problem.inputs());
    for (double& value : u) {
      value = std::atanh(1.6 * random.uniform() - 0.8);
    }
    Eigen::LevenbergMarquardt<Problem> solver(problem);
    solver.parameters.maxfev = 400;
    solver.minimize(u);
    const double cost = solver.fvec.squaredNorm();
    if (std::isfinite(cost) && cost < best.cost) {
      best = {u, cost};
    }
  }
  if (!std::isfinite(best.cost)) {
    throw InternalError("no starting point of the fit led to finite errors");
  }
  return best;
}

/// Half widths of the intervals of log(constant), by the asymptotic covariance of an M-estimator
/// (Huber and Ronchetti, Robust Statistics, 2nd ed., section 7.6).
Eigen::VectorXd half_widths(const std::vector<FitPoint>& points,
                            const FitOptions& options,
                            const ModelConstants& at) {
  const auto rows = static_cast<Eigen::Index>(points.size());
  const auto columns = static_cast<Eigen::Index>(options.free.size());
  Eigen::MatrixXd jacobian(rows, columns);
  double psi_squared = 0;
  double curvature = 0;
  for (Eigen::Index row = 0; row < rows; ++row) {
    const FitPoint& point = points[static_cast<std::size_t>(row)];
    for (Eigen::Index column = 0; column < columns; ++column) {
      const auto index = static_cast<std::size_t>(options.free[static_cast<std::size_t>(column)]);
      ModelConstants above = at;
      ModelConstants below = at;
      above[index] *= std::exp(kStep);
      below[index] *= std::exp(-kStep);
      jacobian(row, column) = (log_error(above, point) - log_error(below, point)) / (2 * kStep);
    }
    const double ratio = log_error(at, point) / kRobustScale;
    const double damped = 1 + ratio * ratio;
    psi_squared += std::pow(ratio * kRobustScale / damped, 2);
    curvature += (1 - ratio * ratio) / (damped * damped);
  }
  const double freedom = static_cast<double>(rows - columns);
  const double mean_curvature = std::max(kLeastCurvature, curvature / static_cast<double>(rows));
  const double variance = psi_squared / freedom / (mean_curvature * mean_curvature);
  const Eigen::MatrixXd normal = jacobian.transpose() * jacobian;
  const Eigen::FullPivLU<Eigen::MatrixXd> decomposition(normal);
  const double quantile = boost::math::quantile(boost::math::students_t(freedom), kConfidence);
  Eigen::VectorXd widths(columns);
  if (!decomposition.isInvertible()) {
    // Some constant does nothing: give the others their interval without it.
    for (Eigen::Index i = 0; i < columns; ++i) {
      widths[i] = normal(i, i) > 0 ? quantile * std::sqrt(variance / normal(i, i))
                                   : std::numeric_limits<double>::infinity();
    }
    return widths;
  }
  const Eigen::MatrixXd covariance = variance * decomposition.inverse();
  for (Eigen::Index i = 0; i < columns; ++i) {
    widths[i] = quantile * std::sqrt(std::max(0.0, covariance(i, i)));
  }
  return widths;
}

template <class Read>
bool varies(const std::vector<FitPoint>& points, const Read& read) {
  std::set<double> values;
  for (const FitPoint& point : points) {
    values.insert(read(point.features));
  }
  return values.size() > 1;
}

bool is_determinable(Constant constant, const std::vector<FitPoint>& points) {
  const auto any = [&](double ExchangeFeatures::*bytes) {
    return std::ranges::any_of(points,
                               [&](const FitPoint& point) { return point.features.*bytes > 0; });
  };
  switch (constant) {
    case Constant::PerDoubling:
      return varies(points, [](const ExchangeFeatures& f) { return f.ranks; });
    case Constant::PerExpert:
      return varies(points, [](const ExchangeFeatures& f) { return f.experts; });
    case Constant::SmRate:
      return any(&ExchangeFeatures::sms) &&
             varies(points, [](const ExchangeFeatures& f) { return f.sms; });
    case Constant::ScaleUpRate:
      return any(&ExchangeFeatures::scale_up_bytes);
    case Constant::ScaleOutRate:
      return any(&ExchangeFeatures::scale_out_bytes);
    case Constant::TokenRate:  // told apart from the port by how often a token is copied
      return any(&ExchangeFeatures::token_bytes) && varies(points, [](const ExchangeFeatures& f) {
               return std::round(kCopyDigits * f.staged_bytes / std::max(1.0, f.token_bytes));
             });
    case Constant::NetworkLatency:
      return varies(points, [](const ExchangeFeatures& f) { return f.nodes > 1 ? 1.0 : 0.0; });
    default:
      return true;
  }
}

/// Rows of one operation and group size, in the order of their times.
using Stratum = std::tuple<std::string, std::string, std::int64_t, std::int64_t>;

std::map<Stratum, std::vector<std::size_t>> strata_of(const std::vector<Measurement>& rows) {
  std::map<Stratum, std::vector<std::size_t>> strata;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Measurement& row = rows[i];
    strata[{row.hardware, row.operation, row.ranks, row.sms}].push_back(i);
  }
  for (auto& [stratum, indices] : strata) {
    std::ranges::stable_sort(
        indices, [&](std::size_t a, std::size_t b) { return rows[a].seconds < rows[b].seconds; });
  }
  return strata;
}

/// "20%" as 0.2; nothing for another kind of rule.
std::optional<double> parse_share(const std::string& rule) {
  if (!rule.ends_with('%')) {
    return std::nullopt;
  }
  double percent = -1;
  try {
    std::size_t end = 0;
    percent = std::stod(rule, &end);
    percent = end + 1 == rule.size() ? percent : -1;
  } catch (const std::exception&) {
    percent = -1;
  }
  if (!(percent >= 0 && percent <= 99)) {
    throw InvalidInput(fmt::format("\"{}\" is no share of the rows", rule), {}, "from 0% to 99%");
  }
  return percent / 100;
}

}  // namespace

std::vector<Constant> determinable(const std::vector<Constant>& wanted,
                                   const std::vector<FitPoint>& points) {
  std::vector<Constant> free;
  std::ranges::copy_if(wanted, std::back_inserter(free), [&](Constant constant) {
    return is_determinable(constant, points);
  });
  if (free.size() > kMostFitted) {
    std::vector<std::string_view> names;
    std::ranges::transform(free, std::back_inserter(names), [](Constant constant) {
      return constant_info(constant).name;
    });
    throw InvalidInput(fmt::format("{} constants to fit ({}); at most {} are allowed",
                                   free.size(),
                                   fmt::join(names, ", "),
                                   kMostFitted),
                       {},
                       "take one out: --fix per_expert=0us");
  }
  return free;
}

FitResult fit_constants(const std::vector<FitPoint>& points, const FitOptions& options) {
  if (points.size() < options.free.size()) {
    throw InvalidInput(
        fmt::format("{} rows are too few to fit {} constants", points.size(), options.free.size()),
        {},
        "hold out fewer rows, select more, or fix constants with --fix name=value");
  }
  for (const FitPoint& point : points) {
    if (!(point.seconds > 0) || !std::isfinite(point.seconds)) {
      throw InvalidInput(fmt::format("a measured time of {} s", point.seconds));
    }
  }
  FitResult result{.constants = options.fixed};
  if (options.free.empty()) {
    return result;
  }
  const Candidate best = solve(points, options);
  result.constants = Problem(points, options).constants(best.u);
  // As many rows as constants leave nothing to tell the error from.
  const Eigen::VectorXd widths =
      points.size() > options.free.size()
          ? half_widths(points, options, result.constants)
          : Eigen::VectorXd::Constant(static_cast<Eigen::Index>(options.free.size()),
                                      std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < options.free.size(); ++i) {
    const ConstantInfo& info = constant_info(options.free[i]);
    const double value = result.constants[static_cast<std::size_t>(options.free[i])];
    const double ratio = std::exp(widths[static_cast<Eigen::Index>(i)]);
    const bool determined = std::isfinite(ratio) && ratio < kWidestRatio;
    result.fitted.push_back(
        {.constant = options.free[i],
         .value = value,
         .low = determined ? std::max(info.lowest, value / ratio) : info.lowest,
         .high = determined ? std::min(info.highest, value * ratio) : info.highest,
         .is_determined = determined});
  }
  return result;
}

std::vector<bool> held_out_rows(const std::vector<Measurement>& rows,
                                const std::string& rule,
                                std::uint64_t seed) {
  std::vector<bool> held(rows.size(), false);
  if (const auto share = parse_share(rule)) {
    std::uint64_t number = 0;
    for (const auto& [stratum, indices] : strata_of(rows)) {
      const double offset = RandomStream(seed, {kPurposeHoldOut, number++}).uniform();
      for (std::size_t i = 0; i < indices.size(); ++i) {
        const double before = static_cast<double>(i) * *share + offset;
        held[indices[i]] = std::floor(before + *share) > std::floor(before);
      }
    }
  } else {
    static_cast<void>(select_rows(rows, rule));  // complains about what no row has
    const std::size_t equals = rule.find('=');
    const std::string column = rule.substr(0, equals);
    const std::string value = rule.substr(equals + 1);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto found = rows[i].columns.find(column);
      held[i] = found != rows[i].columns.end() && found->second == value;
    }
  }
  if (std::ranges::all_of(held, [](bool is_held) { return is_held; })) {
    throw InvalidInput(
        fmt::format("\"{}\" holds out all {} rows: none is left to fit", rule, rows.size()));
  }
  return held;
}

}  // namespace switchyard
