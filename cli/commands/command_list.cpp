// `list`: everything that has a name, one line each; with a name, its parameters.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/framework/catalogue.hpp"
#include "cli/framework/command.hpp"
#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kWidth = 80;

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const CatalogueKind& kind : catalogue()) {
    names.push_back(kind.plural);
  }
  return names;
}

std::string entry_lines(const std::vector<CatalogueEntry>& entries) {
  std::size_t widest = 0;
  for (const CatalogueEntry& entry : entries) {
    widest = std::max(widest, entry.name.size());
  }
  std::string text;
  for (const CatalogueEntry& entry : entries) {
    const std::size_t indent = widest + 4;
    text += fmt::format(
        "  {:<{}}  {}\n", entry.name, widest, wrapped(entry.summary, kWidth - indent, indent));
  }
  return text;
}

std::string kind_text(const CatalogueKind& kind) {
  return fmt::format("{}: {}\n{}", kind.plural, kind.sentence, entry_lines(kind.entries()));
}

const CatalogueEntry& entry_of(const std::vector<CatalogueEntry>& entries,
                               const CatalogueKind& kind,
                               const std::string& name) {
  std::vector<std::string> known;
  for (const CatalogueEntry& entry : entries) {
    if (entry.name == name) {
      return entry;
    }
    known.push_back(entry.name);
  }
  throw InvalidInput(
      fmt::format("no {} is called \"{}\"", kind.noun, name), {}, suggestion_hint(name, known));
}

std::string parameter_text(const CatalogueEntry& entry,
                           const std::vector<ParameterDescription>& parameters) {
  std::string text = fmt::format("{}: {}\n", entry.name, entry.summary);
  if (parameters.empty()) {
    return text + "  (no parameters)\n";
  }
  for (const ParameterDescription& parameter : parameters) {
    const std::string left =
        fmt::format("{} ({}, default {})", parameter.name, parameter.type, parameter.default_value);
    text += fmt::format("  {}\n      {}\n", left, wrapped(parameter.sentence, kWidth - 6, 6));
  }
  return text;
}

ordered_json kind_json(const CatalogueKind& kind) {
  ordered_json list = ordered_json::array();
  for (const CatalogueEntry& entry : kind.entries()) {
    list.push_back({{"name", entry.name}, {"summary", entry.summary}});
  }
  return list;
}

ordered_json entry_json(const CatalogueEntry& entry,
                        const std::vector<ParameterDescription>& parameters) {
  ordered_json list = ordered_json::array();
  for (const ParameterDescription& parameter : parameters) {
    list.push_back({{"name", parameter.name},
                    {"type", parameter.type},
                    {"default", parameter.default_value},
                    {"sentence", parameter.sentence}});
  }
  return {{"name", entry.name}, {"summary", entry.summary}, {"parameters", list}};
}

class ListCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "[KIND [NAME]] [--json]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard list topologies", "switchyard list all_to_all direct"};
  }

  void declare(OptionTable& table) const override {
    table.argument("KIND", "what to list; everything if left out", Values::among(kind_names))
        .argument("NAME", "show the parameters of this one");
    declare_json(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const bool as_json = options.has("json");
    const auto plural = options.text("KIND");
    if (!plural) {
      print_text(as_json ? everything_json() : everything_text());
      return ExitCode::Ok;
    }
    const CatalogueKind& kind = catalogue_kind(*plural);
    const auto name = options.text("NAME");
    if (!name) {
      print_text(as_json ? kind_json(kind).dump(2) + "\n" : kind_text(kind));
      return ExitCode::Ok;
    }
    const auto entries = kind.entries();
    const CatalogueEntry& entry = entry_of(entries, kind, *name);
    const auto parameters = kind.parameters(*name);
    print_text(as_json ? entry_json(entry, parameters).dump(2) + "\n"
                       : parameter_text(entry, parameters));
    return ExitCode::Ok;
  }

 private:
  static std::string everything_text() {
    std::string text;
    for (const CatalogueKind& kind : catalogue()) {
      text += kind_text(kind) + "\n";
    }
    return text + "Parameters of one of them: switchyard list KIND NAME\n";
  }

  static std::string everything_json() {
    ordered_json document;
    for (const CatalogueKind& kind : catalogue()) {
      document[kind.plural] = kind_json(kind);
    }
    return document.dump(2) + "\n";
  }
};

const RegisterCommand<ListCommand> kList{
    "list", "list routers, topologies, networks ... and their parameters"};

}  // namespace
}  // namespace switchyard
