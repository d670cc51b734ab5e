#include "profiler/activities/activity_records.hpp"

namespace switchyard {

const std::string& ActivityLog::name_of(std::uint32_t index) const {
  static const std::string none;
  return index < names.size() ? names[index] : none;
}

}  // namespace switchyard
