// Runs another program in the user's place: its input, output and signals pass through.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace switchyard {

struct ChildEnd {
  int exit_code = 0;  // 128 + signal if a signal ended it
  int signal = 0;     // 0 if it ended by itself
};

/// Starts `words` (found on PATH like the shell does) with `environment` added to ours, waits for
/// its end, and forwards SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 meanwhile, except
/// those that the terminal sent to both. Throws InvalidInput if it cannot be started.
ChildEnd run_child(const std::vector<std::string>& words,
                   const std::map<std::string, std::string>& environment);

}  // namespace switchyard
