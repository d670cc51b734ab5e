// `profile -- PROGRAM`: checks that profiling can work, runs the program with the injection library
// in it, and turns the spools that it leaves into one measured timeline a process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

struct ProfileRequest {
  std::vector<std::string> words;  // the program and its arguments
  std::filesystem::path folder;    // for the timelines; made if it is not there
  bool overwrite = false;
  bool whole_graphs = false;
  bool is_remote = false;  // the GPUs are on other machines than this one
};

struct ProfiledProcess {
  std::filesystem::path timeline;  // empty if nothing was recorded
  std::string command;
  std::string host;
  std::int32_t rank = -1;
  std::int64_t process_id = -1;
  std::int64_t events = 0;
  std::int64_t kernels = 0;
  std::int64_t device_activities = 0;
  std::uint64_t lost = 0;  // records dropped or without a time
  bool ended_by_itself = true;
  std::string problem;  // why nothing was recorded
  std::string problem_hint;
};

struct ProfileResult {
  int exit_code = 0;  // of the program; 128 + signal if a signal ended it
  int signal = 0;
  std::vector<ProfiledProcess> processes;  // those that started CUDA, by rank
};

/// Throws MissingCapability, before anything is started, if this machine cannot profile; `hint` is
/// added where only the GPU is missing. `is_remote`: the GPU is not looked for.
void require_profiling(bool is_remote, const std::string& hint = "");

/// Throws InvalidInput if the program cannot be started or a timeline exists already.
ProfileResult profile_program(const ProfileRequest& request);

}  // namespace switchyard
