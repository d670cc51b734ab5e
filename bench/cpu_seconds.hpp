// CPU time of one piece of work on this thread: what others run on the machine does not count.
#pragma once

#include <ctime>

namespace switchyard::bench {

inline double thread_cpu_seconds() {
  std::timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Work>
double cpu_seconds_of(const Work& work) {
  const double start = thread_cpu_seconds();
  work();
  return thread_cpu_seconds() - start;
}

}  // namespace switchyard::bench
