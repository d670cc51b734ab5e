// Stands in for the session where the build found no CUPTI headers.
#include "core/error.hpp"
#include "profiler/cupti/cupti_presence.hpp"
#include "profiler/cupti/cupti_session.hpp"
#include "profiler/cupti/hardware_counters.hpp"

namespace switchyard {

std::string profiling_build_reason() {
  return "this build has no profiler: CUPTI's headers (CUDA 13) were not found when it was "
         "configured";
}

CuptiSession::CuptiSession(ActivitySink& /*sink*/, const CuptiOptions& /*options*/) {
  throw MissingCapability(profiling_build_reason(),
                          {},
                          "install CUDA's CUPTI headers and configure with -DSWITCHYARD_CUPTI=ON");
}

CuptiSession::~CuptiSession() = default;

CuptiSummary CuptiSession::finish() noexcept {
  is_finished_ = true;
  return {};
}

CounterReport measure_counters(const std::function<void()>& /*work*/) {
  throw MissingCapability(profiling_build_reason(),
                          {},
                          "install CUDA's CUPTI headers and configure with -DSWITCHYARD_CUPTI=ON");
}

}  // namespace switchyard
