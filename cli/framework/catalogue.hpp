// Everything that can be named in a scenario or on the command line, kind by kind, straight from
// the registries: what `list` prints and completion offers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/framework/options.hpp"
#include "core/components/parameters.hpp"

namespace switchyard {

struct CatalogueEntry {
  std::string name;
  std::string summary;
};

struct CatalogueKind {
  std::string plural;    // "routers", as typed after `list`
  std::string noun;      // "router", for messages
  std::string sentence;  // what these are
  std::function<std::vector<CatalogueEntry>()> entries;
  /// Parameters of one entry; throws InvalidInput with the nearest name.
  std::function<std::vector<ParameterDescription>(const std::string& name)> parameters;
};

/// All kinds, in the order of a scenario.
const std::vector<CatalogueKind>& catalogue();
/// The kind called `plural` (or its noun); throws InvalidInput with the nearest name.
const CatalogueKind& catalogue_kind(const std::string& plural);
/// Names of one kind, for completion.
std::vector<std::string> catalogue_names(const std::string& plural);
/// The same as values of an option, looked up when they are asked for.
Values names_of(const std::string& plural);

}  // namespace switchyard
