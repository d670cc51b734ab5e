// How long an exchange takes beyond bytes over data-sheet rates: twelve constants, of which a
// calibration fits at most six, each a thing one could measure alone.
//
//   start    = launch + per_doubling x log2(ranks) + per_expert x experts
//              + network_latency if there are several nodes
//   up       = |(scale-up bytes / scale_up_rate, staged bytes / (SMs x sm_rate))|
//              + token bytes / ((SMs or 1) x token_rate)
//   out      = scale-out bytes / scale_out_rate
//   transfer = max(up, out), each + its pipeline fill: (chunk / rate) x (1 - exp(-bytes / chunk))
//   time     = smooth maximum of start + bulk_latency and transfer, with exponent `overlap`
//   or, if shorter, the eager protocol: start + peer bytes / eager_rate
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard {

enum class Constant : std::uint8_t {
  Launch,
  PerDoubling,
  PerExpert,
  NetworkLatency,
  BulkLatency,
  EagerRate,
  ScaleUpRate,
  ScaleOutRate,
  SmRate,
  TokenRate,
  PipelineChunk,
  Overlap,
};

inline constexpr std::size_t kConstantCount = 12;
inline constexpr std::size_t kMostFitted = 6;

/// Values by Constant, in seconds, bytes, bytes/s or 1. 0 = the term is absent (a rate: the link's
/// own; overlap: 1, start and transfer add up).
using ModelConstants = std::array<double, kConstantCount>;

enum class ConstantUnit { Time, Rate, Size, Plain };

struct ConstantInfo {
  Constant constant;
  std::string_view name;
  ConstantUnit unit;
  double lowest;  // of the plausible range, which bounds the fit
  double highest;
  std::string_view meaning;
};

/// In the order of the enumeration.
std::span<const ConstantInfo> constant_infos();
const ConstantInfo& constant_info(Constant constant);
/// Throws InvalidInput with the nearest name.
const ConstantInfo& constant_info(const std::string& name);
/// "9.06us", "243GBps", "7.5MB", "1.12", and back; parsing throws InvalidInput.
std::string constant_text(const ConstantInfo& info, double value);
double parse_constant(const ConstantInfo& info, const std::string& text);

/// A set of constants that goes with a kind of library.
struct ModelFamily {
  std::string_view name;
  std::string_view meaning;
  std::vector<Constant> fitted;
  double overlap;  // where the family fixes it; 0 = fitted
};

std::span<const ModelFamily> model_families();
/// Throws InvalidInput with the nearest name.
const ModelFamily& model_family(const std::string& name);

/// What the model needs to know of one exchange on one machine.
struct ExchangeFeatures {
  double ranks = 0;
  double nodes = 0;
  double experts = 0;
  double sms = 0;                 // that move data; 0 = not known
  double scale_up_bytes = 0;      // through the busiest GPU port inside a node, one direction
  double scale_out_bytes = 0;     // through the busiest NIC, one direction
  double token_bytes = 0;         // of the tokens that start on a rank, once each; largest rank
  double staged_bytes = 0;        // that the SMs of the busiest rank copy
  double peer_bytes = 0;          // largest block between two ranks
  double latency_s = 0;           // of the longest route
  double scale_up_link_rate = 0;  // bytes/s of those ports without calibration
  double scale_out_link_rate = 0;
};

/// The constants as a network takes them, for one exchange.
struct ExchangeTerms {
  double start_up_s = 0;
  double overlap = 1;
  double scale_up_rate = 0;   // bytes/s of every GPU port; 0 = leave as it is
  double scale_out_rate = 0;  // of every NIC
};

ExchangeTerms exchange_terms(const ModelConstants& constants, const ExchangeFeatures& features);

/// The closed form of the model: the busiest port is never idle. Seconds.
double exchange_seconds(const ModelConstants& constants, const ExchangeFeatures& features);

/// Whether the exchange spends its time on starting or on moving bytes.
enum class Regime { Latency, Knee, Bandwidth };

std::string_view regime_name(Regime regime);
/// Transfer below half of the start, above twice the start, or between.
Regime exchange_regime(const ModelConstants& constants, const ExchangeFeatures& features);

}  // namespace switchyard
