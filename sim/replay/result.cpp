#include "sim/replay/result.hpp"

namespace switchyard {

std::string_view lane_name(Lane lane) {
  switch (lane) {
    case Lane::Wait:
      return "wait";
    case Lane::Dispatch:
      return "dispatch";
    case Lane::Compute:
      return "compute";
    case Lane::Combine:
      return "combine";
    default:
      return "collective";
  }
}

std::string_view bound_name(Bound bound) {
  switch (bound) {
    case Bound::Link:
      return "link";
    case Bound::Latency:
      return "latency";
    case Bound::Compute:
      return "compute";
    case Bound::Memory:
      return "memory";
    case Bound::Launch:
      return "launch";
    default:
      return "nothing";
  }
}

}  // namespace switchyard
