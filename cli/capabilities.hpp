// What this machine and this build can do, each found out by trying: the contents of `doctor`.
#pragma once

#include <string>
#include <vector>

namespace switchyard {

struct Capability {
  enum class State { Works, Limited, Missing };

  std::string name;
  State state = State::Works;
  std::string detail;  // what was found, or why it is missing
  std::string hint;    // how to get it; empty when it works
};

std::string capability_state_name(Capability::State state);

/// Tries everything; takes well under a second and changes nothing.
std::vector<Capability> find_capabilities();

}  // namespace switchyard
