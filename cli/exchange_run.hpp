// `simulate` for one all-to-all alone: a plain matrix of bytes, or one layer of a trace, priced,
// explained, and written in the files that other programs read.
#pragma once

#include "cli/framework/options.hpp"
#include "core/error.hpp"

namespace switchyard {

/// --matrix, --matrix-unit, --layer, --step, --direction, --flows, --write-matrix, --htsim, --goal.
void declare_exchange(OptionTable& table);

/// Whether the command line asks for one exchange.
bool wants_exchange(const ParsedOptions& options);

/// Runs it. Throws InvalidInput for options that make no sense together.
ExitCode run_exchange(const ParsedOptions& options);

}  // namespace switchyard
