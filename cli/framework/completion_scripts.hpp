// Completion scripts for the three common shells, as text.
#pragma once

#include <string>
#include <vector>

#include "cli/framework/options.hpp"

namespace switchyard {

/// What completion needs to know of a sub-command.
struct CommandSketch {
  std::string name;
  std::string summary;
  OptionTable options;
};

std::string bash_completion(const std::vector<CommandSketch>& commands);
std::string zsh_completion(const std::vector<CommandSketch>& commands);
std::string fish_completion(const std::vector<CommandSketch>& commands);

}  // namespace switchyard
