// A section of a scenario that names a registered component.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "core/components/registry.hpp"

namespace switchyard {

/// "contiguous" and {"name": "contiguous", ...} mean the same.
inline nlohmann::json section_as_object(const nlohmann::json& section) {
  return section.is_string() ? nlohmann::json{{"name", section}} : section;
}

/// Builds a registered component from {"name": ..., <parameters>} and replaces the section by what
/// it resolved to. Throws InvalidInput with the place of the mistake.
template <class Interface>
std::shared_ptr<const Interface> build_component(nlohmann::json& section,
                                                 const std::string& kind,
                                                 const Location& where) {
  nlohmann::json values = section_as_object(section);
  if (!values.is_object() || !values.contains("name") || !values["name"].is_string()) {
    throw InvalidInput("names no " + kind, where, "write its name, or an object with \"name\"");
  }
  const std::string name = values["name"].get<std::string>();
  values.erase("name");
  Parameters parameters(values, where);
  auto component =
      Registry<Interface>::instance().create(name, kind, parameters, where.child("name"));
  section = parameters.resolved();
  section["name"] = name;
  return component;
}

}  // namespace switchyard
