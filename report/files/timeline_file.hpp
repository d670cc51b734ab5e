// The timeline as Chrome trace JSON, for ui.perfetto.dev: one track per rank and lane, one per
// direction of the busiest links. Perfetto drops overlapping events of a track, so none overlap.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "sim/replay/simulation.hpp"

namespace switchyard {

/// What the writer needs to know of the fabric.
struct TimelineLinks {
  std::vector<std::string> names;  // [links]
  std::vector<double> rates;       // [links] bytes/s
};

/// Written on the way, so that memory does not grow with the run; gzip if the name ends in ".gz".
class TimelineFile {
 public:
  /// Links shown per exchange: those that its bytes keep busy longest.
  static constexpr std::size_t kLinksPerExchange = 64;

  /// Throws InvalidInput as AtomicFile does.
  TimelineFile(const std::filesystem::path& path, bool overwrite, TimelineLinks links);
  TimelineFile(const TimelineFile&) = delete;
  TimelineFile& operator=(const TimelineFile&) = delete;
  TimelineFile(TimelineFile&&) = delete;
  TimelineFile& operator=(TimelineFile&&) = delete;
  ~TimelineFile();

  /// For SimulationHooks::exchange: a link's event lasts as long as its bytes take at full rate.
  void add(const ExchangeRecord& exchange);
  /// For SimulationHooks::layer, after its exchanges.
  void add(const LayerResult& layer);
  /// Completes the document and puts it in place.
  void finish(const SimulationResult& result);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard
