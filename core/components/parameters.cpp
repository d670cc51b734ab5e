// nlohmann's get<int>() turns 8.7 into 8 and true into 1 without a word, so every getter looks at
// the JSON type itself before it converts.
#include "core/components/parameters.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/suggestion.hpp"

namespace switchyard {

using nlohmann::json;

struct Parameters::State {
  json values = json::object();
  json resolved = json::object();
  Location where;
  bool describing = false;
  std::vector<ParameterDescription> descriptions;
};

namespace {

[[noreturn]] void wrong_type(const json& value, const std::string& wanted, const Location& where) {
  throw InvalidInput(fmt::format("wrong type: wanted {}, got {}", wanted, value.dump()), where);
}

template <class T>
T within(T value, Bounds<T> bounds, const Location& where) {
  // Written so that NaN fails.
  if (!(value >= bounds.lowest && value <= bounds.highest)) {
    throw InvalidInput(fmt::format("{} is out of range", value),
                       where,
                       fmt::format("allowed: {} to {}", bounds.lowest, bounds.highest));
  }
  return value;
}

std::int64_t read_integer(const json& value, const Location& where) {
  if (!value.is_number_integer()) {
    wrong_type(value, "an integer", where);
  }
  return value.get<std::int64_t>();
}

double read_number(const json& value, const Location& where) {
  if (!value.is_number()) {
    wrong_type(value, "a number", where);
  }
  return value.get<double>();
}

bool read_flag(const json& value, const Location& where) {
  if (!value.is_boolean()) {
    wrong_type(value, "true or false", where);
  }
  return value.get<bool>();
}

std::string read_text(const json& value, const Location& where) {
  if (!value.is_string()) {
    wrong_type(value, "a text", where);
  }
  return value.get<std::string>();
}

std::string read_quantity(const json& value, const std::string& example, const Location& where) {
  if (value.is_number()) {
    throw InvalidInput(fmt::format("{} has no unit", value.dump()),
                       where,
                       fmt::format("try \"{}{}\"", value.dump(), example));
  }
  if (!value.is_string()) {
    wrong_type(value, "a quantity with a unit", where);
  }
  return value.get<std::string>();
}

template <class T>
json written(const T& value) {
  return json(value);
}

json written(Bytes value) {
  return to_unit_string(value);
}

json written(Seconds value) {
  return to_unit_string(value);
}

json written(BytesPerSecond value) {
  return to_unit_string(value);
}

json written(FlopsPerSecond value) {
  return to_unit_string(value);
}

std::string shown(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Parameters::Parameters() : state_(std::make_unique<State>()) {}

Parameters::Parameters(const json& values, Location where) : Parameters() {
  state_->where = std::move(where);
  if (values.is_null()) {
    return;
  }
  if (!values.is_object()) {
    wrong_type(values, "an object of parameters", state_->where);
  }
  state_->values = values;
}

Parameters Parameters::describing() {
  Parameters parameters;
  parameters.state_->describing = true;
  return parameters;
}

Parameters::Parameters(Parameters&&) noexcept = default;
Parameters& Parameters::operator=(Parameters&&) noexcept = default;
Parameters::~Parameters() = default;

template <class T, class Read>
T Parameters::look_up(ParameterDescription description, const T& default_value, const Read& read) {
  const std::string name = description.name;
  state_->descriptions.push_back(std::move(description));
  const auto found = state_->values.find(name);
  T value = found == state_->values.end() ? default_value : read(*found, state_->where.child(name));
  state_->resolved[name] = written(value);
  return value;
}

std::int64_t Parameters::get_integer(const std::string& name,
                                     std::int64_t default_value,
                                     Bounds<std::int64_t> bounds,
                                     const std::string& sentence) {
  return look_up({name, "integer", std::to_string(default_value), sentence},
                 default_value,
                 [&](const json& value, const Location& where) {
                   return within(read_integer(value, where), bounds, where);
                 });
}

double Parameters::get_number(const std::string& name,
                              double default_value,
                              Bounds<double> bounds,
                              const std::string& sentence) {
  return look_up({name, "number", json(default_value).dump(), sentence},
                 default_value,
                 [&](const json& value, const Location& where) {
                   return within(read_number(value, where), bounds, where);
                 });
}

bool Parameters::get_flag(const std::string& name,
                          bool default_value,
                          const std::string& sentence) {
  return look_up(
      {name, "boolean", default_value ? "true" : "false", sentence}, default_value, read_flag);
}

std::string Parameters::get_text(const std::string& name,
                                 const std::string& default_value,
                                 const std::string& sentence) {
  return look_up({name, "text", default_value, sentence}, default_value, read_text);
}

std::string Parameters::get_choice(const std::string& name,
                                   const std::string& default_value,
                                   std::span<const std::string_view> choices,
                                   const std::string& sentence) {
  const std::vector<std::string> known(choices.begin(), choices.end());
  return look_up({name, fmt::format("{}", fmt::join(known, " | ")), default_value, sentence},
                 default_value,
                 [&](const json& value, const Location& where) {
                   std::string text = read_text(value, where);
                   if (std::find(known.begin(), known.end(), text) == known.end()) {
                     throw InvalidInput(fmt::format("no such choice \"{}\"", text),
                                        where,
                                        suggestion_hint(text, known));
                   }
                   return text;
                 });
}

Bytes Parameters::get_bytes(const std::string& name,
                            Bytes default_value,
                            const std::string& sentence) {
  return look_up({name, "bytes", to_unit_string(default_value), sentence},
                 default_value,
                 [](const json& value, const Location& where) {
                   return parse_bytes(read_quantity(value, "MiB", where), where);
                 });
}

Seconds Parameters::get_duration(const std::string& name,
                                 Seconds default_value,
                                 const std::string& sentence) {
  return look_up({name, "duration", to_unit_string(default_value), sentence},
                 default_value,
                 [](const json& value, const Location& where) {
                   return parse_duration(read_quantity(value, "us", where), where);
                 });
}

BytesPerSecond Parameters::get_bandwidth(const std::string& name,
                                         BytesPerSecond default_value,
                                         const std::string& sentence) {
  return look_up({name, "bandwidth", to_unit_string(default_value), sentence},
                 default_value,
                 [](const json& value, const Location& where) {
                   return parse_bandwidth(read_quantity(value, "Gbps", where), where);
                 });
}

FlopsPerSecond Parameters::get_compute_rate(const std::string& name,
                                            FlopsPerSecond default_value,
                                            const std::string& sentence) {
  return look_up({name, "compute rate", to_unit_string(default_value), sentence},
                 default_value,
                 [](const json& value, const Location& where) {
                   return parse_compute_rate(read_quantity(value, "TFLOPS", where), where);
                 });
}

json Parameters::get_json(const std::string& name, const std::string& sentence) {
  return look_up({name, "JSON", "none", sentence},
                 json(),
                 [](const json& value, const Location& /*where*/) { return value; });
}

std::int64_t Parameters::require_integer(const std::string& name,
                                         std::int64_t example,
                                         Bounds<std::int64_t> bounds,
                                         const std::string& sentence) {
  const bool is_absent = !state_->describing && !state_->values.contains(name);
  if (is_absent) {
    throw InvalidInput(fmt::format("missing parameter \"{}\": {}", name, sentence),
                       state_->where,
                       fmt::format("for example \"{}\": {}", name, example));
  }
  const std::int64_t value = get_integer(name, example, bounds, sentence);
  state_->descriptions.back().default_value = "required";
  return value;
}

std::string Parameters::require_text(const std::string& name,
                                     const std::string& example,
                                     const std::string& sentence) {
  const bool is_absent = !state_->describing && !state_->values.contains(name);
  if (is_absent) {
    throw InvalidInput(fmt::format("missing parameter \"{}\": {}", name, sentence),
                       state_->where,
                       fmt::format("for example \"{}\": {}", name, json(example).dump()));
  }
  std::string value = get_text(name, example, sentence);
  state_->descriptions.back().default_value = "required";
  return value;
}

bool Parameters::is_describing() const {
  return state_->describing;
}

const Location& Parameters::where() const {
  return state_->where;
}

void Parameters::finish() const {
  std::vector<std::string> known;
  for (const ParameterDescription& description : state_->descriptions) {
    known.push_back(description.name);
  }
  for (const auto& item : state_->values.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
      throw InvalidInput(fmt::format("no such parameter, value {}", shown(item.value())),
                         state_->where.child(item.key()),
                         known.empty() ? "this component takes no parameters"
                                       : suggestion_hint(item.key(), known));
    }
  }
}

const std::vector<ParameterDescription>& Parameters::descriptions() const {
  return state_->descriptions;
}

const json& Parameters::resolved() const {
  return state_->resolved;
}

}  // namespace switchyard
