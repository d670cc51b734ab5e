// The result as people read it: one screen of at most 80 columns that names the bottleneck link,
// the worst layer, expert and rank, and the lower bound, and says what was assumed.
#pragma once

#include <string>

#include "report/terminal.hpp"
#include "sim/replay/result.hpp"

namespace switchyard {

struct SummaryOptions {
  TextStyle style{false};
  bool all_layers = false;  // a row for every layer, not only the slowest
  bool with_notes = true;
};

std::string summary_text(const SimulationResult& result, const SummaryOptions& options);

}  // namespace switchyard
