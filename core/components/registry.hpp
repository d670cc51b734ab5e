// Components found by name. A component registers itself from its own .cpp with a Register object,
// so that adding one is adding one file. Each interface instantiates its registry exactly once
// (`extern template` in its header, `template class` in its .cpp).
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/check.hpp"
#include "core/components/parameters.hpp"
#include "core/components/suggestion.hpp"

namespace switchyard {

template <class Interface>
class Registry {
 public:
  using Factory = std::function<std::unique_ptr<Interface>(Parameters&)>;

  struct Entry {
    std::string summary;  // one line for `list`
    Factory make;
  };

  /// The only mutable global: filled before main, read afterwards.
  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  void add(const std::string& name, Entry entry) {
    const bool is_new = entries_.emplace(name, std::move(entry)).second;
    SWITCHYARD_CHECK(is_new, "two components are called \"" + name + "\"");
  }

  /// All names, sorted.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, entry] : entries_) {
      all.push_back(name);
    }
    return all;
  }

  [[nodiscard]] bool contains(const std::string& name) const { return entries_.contains(name); }

  /// The entry called `name`; throws InvalidInput with the nearest name if there is none.
  /// `kind` is the noun for the message ("router").
  [[nodiscard]] const Entry& at(const std::string& name,
                                const std::string& kind,
                                const Location& where = {}) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      throw InvalidInput(
          "no " + kind + " is called \"" + name + "\"", where, suggestion_hint(name, names()));
    }
    return found->second;
  }

  /// Builds the component from `parameters`; leftover parameters are an error.
  [[nodiscard]] std::unique_ptr<Interface> create(const std::string& name,
                                                  const std::string& kind,
                                                  Parameters& parameters,
                                                  const Location& where = {}) const {
    auto component = at(name, kind, where).make(parameters);
    parameters.finish();
    return component;
  }

  /// The parameters of a component, from its own constructor run in describing mode.
  [[nodiscard]] std::vector<ParameterDescription> describe(const std::string& name,
                                                           const std::string& kind) const {
    Parameters parameters = Parameters::describing();
    const auto component = at(name, kind).make(parameters);
    return parameters.descriptions();
  }

 private:
  std::map<std::string, Entry> entries_;
};

/// Registers Implementation, which is constructed from Parameters&, under `name`.
template <class Interface, class Implementation>
struct Register {
  Register(const std::string& name, const std::string& summary) {
    Registry<Interface>::instance().add(
        name, {summary, [](Parameters& parameters) -> std::unique_ptr<Interface> {
                 return std::make_unique<Implementation>(parameters);
               }});
  }
};

}  // namespace switchyard
