// `schema`: the JSON Schemas that the program itself checks documents against, for editors and CI.
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "cli/framework/command.hpp"
#include "core/components/embedded.hpp"
#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

// "topologies/schema/topology.schema.json" -> "topology"
std::map<std::string, std::string> schema_paths() {
  std::map<std::string, std::string> paths;
  for (const EmbeddedFile& file : embedded_files()) {
    const std::filesystem::path path(file.path);
    if (path.parent_path().filename() == "schema") {
      const std::string name = path.filename().string();
      paths.emplace(name.substr(0, name.find('.')), std::string(file.path));
    }
  }
  return paths;
}

std::vector<std::string> schema_names() {
  std::vector<std::string> names;
  for (const auto& [name, path] : schema_paths()) {
    names.push_back(name);
  }
  return names;
}

class SchemaCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "[NAME] [-o FILE]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard schema", "switchyard schema topology -o topology.schema.json"};
  }

  void declare(OptionTable& table) const override {
    table.argument(
        "NAME", "the schema to print; their names if left out", Values::among(schema_names));
    declare_output(table, "write to FILE");
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const auto paths = schema_paths();
    const auto name = options.text("NAME");
    if (!name) {
      std::string text;
      for (const auto& [known, path] : paths) {
        text += known + "\n";
      }
      write_output(options, text);
      return ExitCode::Ok;
    }
    const auto found = paths.find(*name);
    if (found == paths.end()) {
      throw InvalidInput(
          "no schema is called \"" + *name + "\"", {}, suggestion_hint(*name, schema_names()));
    }
    write_output(options, std::string(embedded_file(found->second)));
    return ExitCode::Ok;
  }
};

const RegisterCommand<SchemaCommand> kSchema{"schema", "print the JSON Schema of a document"};

}  // namespace
}  // namespace switchyard
