// Typed parameters of a component, which document themselves: a component's constructor asks for
// each value with name, default and sentence; run in describing mode, the same constructor prints
// the help, and whatever it did not ask for is an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/error.hpp"
#include "core/numbers/units.hpp"

namespace switchyard {

/// One parameter as `list` and the documentation show it.
struct ParameterDescription {
  std::string name;
  std::string type;           // "integer", "number", "boolean", "text", "duration", ...
  std::string default_value;  // as written in a file; "required" when there is none
  std::string sentence;       // what it means, with its unit
};

/// Smallest and largest value allowed, both included.
template <class T>
struct Bounds {
  T lowest;
  T highest;
};

class Parameters {
 public:
  /// Reads from a JSON object. `where` is the object's own place. Throws InvalidInput if `values`
  /// is neither an object nor null.
  Parameters(const nlohmann::json& values, Location where);
  /// Describing mode: every getter answers its default and nothing is ever missing.
  static Parameters describing();

  Parameters(Parameters&&) noexcept;
  Parameters& operator=(Parameters&&) noexcept;
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  ~Parameters();

  /// Getters: the value under `name`, or the default. A wrong type, a value outside the bounds or a
  /// quantity without unit throws InvalidInput naming the parameter's place.
  std::int64_t get_integer(const std::string& name,
                           std::int64_t default_value,
                           Bounds<std::int64_t> bounds,
                           const std::string& sentence);
  double get_number(const std::string& name,
                    double default_value,
                    Bounds<double> bounds,
                    const std::string& sentence);
  bool get_flag(const std::string& name, bool default_value, const std::string& sentence);
  std::string get_text(const std::string& name,
                       const std::string& default_value,
                       const std::string& sentence);
  /// One of `choices`; the default must be among them.
  std::string get_choice(const std::string& name,
                         const std::string& default_value,
                         std::span<const std::string_view> choices,
                         const std::string& sentence);
  Bytes get_bytes(const std::string& name, Bytes default_value, const std::string& sentence);
  Seconds get_duration(const std::string& name, Seconds default_value, const std::string& sentence);
  BytesPerSecond get_bandwidth(const std::string& name,
                               BytesPerSecond default_value,
                               const std::string& sentence);
  FlopsPerSecond get_compute_rate(const std::string& name,
                                  FlopsPerSecond default_value,
                                  const std::string& sentence);
  /// A nested value left to the caller to read; null when absent.
  nlohmann::json get_json(const std::string& name, const std::string& sentence);

  /// As get_*, but absence is an error (except in describing mode, where `example` is answered).
  std::int64_t require_integer(const std::string& name,
                               std::int64_t example,
                               Bounds<std::int64_t> bounds,
                               const std::string& sentence);
  std::string require_text(const std::string& name,
                           const std::string& example,
                           const std::string& sentence);

  [[nodiscard]] bool is_describing() const;
  [[nodiscard]] const Location& where() const;

  /// Throws InvalidInput for a parameter nobody asked for, with the nearest known name.
  void finish() const;

  /// All parameters asked for so far, in the order of asking.
  [[nodiscard]] const std::vector<ParameterDescription>& descriptions() const;
  /// The object with every default filled in, for the resolved scenario.
  [[nodiscard]] const nlohmann::json& resolved() const;

 private:
  struct State;

  Parameters();
  template <class T, class Read>
  T look_up(ParameterDescription description, const T& default_value, const Read& read);

  std::unique_ptr<State> state_;
};

}  // namespace switchyard
