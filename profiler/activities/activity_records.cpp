#include "profiler/activities/activity_records.hpp"

namespace switchyard {

const std::string& ActivityLog::name_of(std::uint32_t index) const {
  static const std::string kNone;
  return index < names.size() ? names[index] : kNone;
}

}  // namespace switchyard
