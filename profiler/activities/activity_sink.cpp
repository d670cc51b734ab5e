#include "profiler/activities/activity_sink.hpp"

#include <cstddef>

namespace switchyard {

void KeepActivities::take(ActivityLog& from) {
  log.records.insert(log.records.end(), from.records.begin(), from.records.end());
  log.devices.insert(log.devices.end(), from.devices.begin(), from.devices.end());
  log.names.insert(log.names.end(),
                   from.names.begin() + static_cast<std::ptrdiff_t>(log.names.size()),
                   from.names.end());
  log.unknown_kinds = from.unknown_kinds;
  log.untimed = from.untimed;
  log.dropped = from.dropped;
  log.malformed = from.malformed;
}

}  // namespace switchyard
