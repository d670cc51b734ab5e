// A measured row as an exchange that can be simulated: its benchmark's traffic, sent by the
// algorithm that the benchmark's library uses, on a machine.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "profiler/measurements/measurement.hpp"
#include "sim/exchange/traffic.hpp"
#include "sim/replay/calibrated_exchange.hpp"

namespace switchyard {

/// Everything about a row that does not depend on the constants.
struct BenchmarkExchange {
  Schedule schedule;
  ExchangeFeatures features;
};

class BenchmarkBuilder {
 public:
  explicit BenchmarkBuilder(std::shared_ptr<const Fabric> fabric, std::uint64_t seed);

  /// Throws InvalidInput when the machine has too few GPUs or other nodes than the row says.
  [[nodiscard]] BenchmarkExchange build(const Measurement& row);

  /// Seconds that the network gives the exchange under these constants.
  [[nodiscard]] double simulate(const BenchmarkExchange& exchange,
                                const ModelConstants& constants,
                                const Network& network) const;

  [[nodiscard]] const Fabric& fabric() const { return *fabric_; }

 private:
  [[nodiscard]] const TrafficMatrix& traffic_of(const Measurement& row);
  [[nodiscard]] Exchange exchange_of_row(const Measurement& row);
  void check_fits(const Measurement& row) const;

  std::shared_ptr<const Fabric> fabric_;
  std::uint64_t seed_;
  std::map<std::string, TrafficMatrix> traffic_;  // by routing and shape: sweeps repeat them
};

/// The algorithm that prices rows of this kind, as a calibration names it.
std::string benchmark_algorithm(ExchangeKind kind);

/// SMs that move data: the row's own, or what the low-latency kernels use; 0 = not known.
double sms_of(const Measurement& row);

}  // namespace switchyard
