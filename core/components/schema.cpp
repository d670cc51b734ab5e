// valijson reports outermost failures first and wraps each nested one; people want the innermost
// cause, so the list is reversed and the wrappers are dropped.
#include "core/components/schema.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

struct Violation {
  std::string pointer;  // "/links/3"
  std::string message;
};

// Context entries look like "<root>", "[links]", "[3]".
std::string pointer_of(const std::vector<std::string>& context) {
  std::string pointer;
  for (const std::string& step : context) {
    if (step.size() >= 2 && step.front() == '[') {
      pointer += "/" + step.substr(1, step.size() - 2);
    }
  }
  return pointer;
}

bool is_wrapper(const std::string& message) {
  return message.starts_with("Failed to validate against") ||
         message.starts_with("Failed to validate item") ||
         message.starts_with("Failed to validate value");
}

// The part of the schema for the value at `pointer`, as far as plain `properties`, `items` and
// `additionalProperties` lead; null beyond.
const json* part_of(const json& schema, const std::string& pointer) {
  const json* place = &schema;
  std::size_t begin = 1;
  while (begin <= pointer.size() && !pointer.empty()) {
    const std::size_t end = std::min(pointer.find('/', begin), pointer.size());
    const std::string key = pointer.substr(begin, end - begin);
    begin = end + 1;
    if (place->contains("properties") && (*place)["properties"].contains(key)) {
      place = &(*place)["properties"][key];
    } else if (place->contains("items")) {
      place = &(*place)["items"];
    } else if (place->contains("additionalProperties") &&
               (*place)["additionalProperties"].is_object()) {
      place = &(*place)["additionalProperties"];
    } else {
      return nullptr;
    }
  }
  return place;
}

std::vector<std::string> known_keys(const json& schema, const std::string& pointer) {
  std::vector<std::string> keys;
  const json* place = part_of(schema, pointer);
  if (place != nullptr && place->contains("properties")) {
    for (const auto& item : (*place)["properties"].items()) {
      keys.push_back(item.key());
    }
  }
  return keys;
}

// valijson says that no enum value matched, but not which there are.
std::string allowed_values(const json& schema, const Violation& violation, const json& document) {
  const json* place = part_of(schema, violation.pointer);
  if (place == nullptr || !place->contains("enum") ||
      violation.message.find("enum") == std::string::npos) {
    return {};
  }
  const json given = document.value(json::json_pointer(violation.pointer), json());
  std::vector<std::string> names;
  for (const json& name : (*place)["enum"]) {
    if (name.is_string()) {
      names.push_back(name);
    }
  }
  const auto meant = given.is_string() ? nearest_name(given.get<std::string>(), names)
                                       : std::optional<std::string>();
  return "not one of the allowed values " + (*place)["enum"].dump() +
         (meant ? fmt::format(" (did you mean \"{}\"?)", *meant) : "");
}

// "Object contains a property that could not be validated using 'properties' or
// 'additionalProperties' constraints: 'nmae'." -> nmae
std::string unknown_key(const std::string& message) {
  static const std::string kMark = "'additionalProperties' constraints: '";
  const std::size_t at = message.find(kMark);
  if (at == std::string::npos) {
    return {};
  }
  const std::size_t begin = at + kMark.size();
  return message.substr(begin, message.rfind('\'') - begin);
}

std::string explained(const Violation& violation, const json& schema, const json& document) {
  const std::string key = unknown_key(violation.message);
  if (key.empty()) {
    const std::string allowed = allowed_values(schema, violation, document);
    return allowed.empty() ? violation.message : allowed;
  }
  return fmt::format(
      "no such key \"{}\" ({})", key, suggestion_hint(key, known_keys(schema, violation.pointer)));
}

std::vector<Violation> violations(const json& document, const json& schema) {
  valijson::Schema compiled;
  valijson::SchemaParser parser;
  parser.populateSchema(NlohmannJsonAdapter(schema), compiled);
  valijson::Validator validator;
  valijson::ValidationResults results;
  std::vector<Violation> found;
  if (validator.validate(compiled, NlohmannJsonAdapter(document), &results)) {
    return found;
  }
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    if (!is_wrapper(error.description)) {
      found.push_back({pointer_of(error.context), error.description});
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace

void check_schema(const json& document, const json& schema, const Location& where) {
  const std::vector<Violation> found = violations(document, schema);
  if (found.empty()) {
    return;
  }
  const auto place = [&where](const Violation& violation) {
    const std::string base = where.place.empty() ? "#" : where.place;
    return Location{where.file, base + violation.pointer};
  };
  std::string rest;
  for (std::size_t i = 1; i < found.size(); ++i) {
    rest +=
        fmt::format("\n  {}: {}", place(found[i]).text(), explained(found[i], schema, document));
  }
  throw InvalidInput(explained(found.front(), schema, document) + rest, place(found.front()));
}

}  // namespace switchyard
