#include "sim/replay/placement_use.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include "sim/replay/component_section.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 6> kOwnKeys{
    "replicas", "period", "delay", "window", "initial", "memory"};
constexpr Bounds<std::int64_t> kSteps{0, INT64_C(1) << 40U};

}  // namespace

json take_placement_use(json& section, const Location& where, PlacementUse& use) {
  json own = json::object();
  for (const char* key : kOwnKeys) {
    if (section.is_object() && section.contains(key)) {
      own[key] = section[key];
      section.erase(key);
    }
  }
  const bool names_age = own.contains("delay") || own.contains("window") || own.contains("initial");
  Parameters parameters(own, where);
  use.replicas = parse_replica_choice(
      parameters.get_choice("replicas",
                            std::string(kReplicaChoices[0]),
                            kReplicaChoices,
                            "which replica serves a token: nearest, round_robin, least_loaded"),
      where.child("replicas"));
  use.period = parameters.get_integer(
      "period", 0, kSteps, "steps between placements; 0 = one, with the whole trace in sight");
  use.memory = parameters.get_bytes(
      "memory", Bytes{0}, "expert weights a rank may hold; 0B = the device's memory");
  if (use.period == 0) {
    if (names_age) {
      throw InvalidInput(
          "delay, window and initial need a period: without one there is a single "
          "placement, made with the whole trace in sight",
          where,
          "add placement.period=1 to place anew at every step");
    }
    parameters.finish();
    return parameters.resolved();
  }
  use.delay = parameters.get_integer(
      "delay", 1, kSteps, "age in steps of the newest routing that a placement has seen");
  use.window = parameters.get_integer(
      "window", 0, kSteps, "steps of routing it looks at; 0 = all that are old enough");
  json initial = own.value("initial", json("contiguous"));
  (void)parameters.get_json("initial", "placement before there is routing to look at");
  parameters.finish();
  json resolved = parameters.resolved();
  use.initial = build_component<PlacementRule>(initial, "placement", where.child("initial"));
  if (use.initial->evidence() != PlacementEvidence::None) {
    throw InvalidInput("an initial placement has no routing to look at, but this rule needs some",
                       where.child("initial"),
                       "choose contiguous, round_robin, random or table");
  }
  resolved["initial"] = initial;
  return resolved;
}

}  // namespace switchyard
