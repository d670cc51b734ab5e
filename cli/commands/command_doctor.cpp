// `doctor`: what works here, and for the rest why not and how to get it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/capabilities.hpp"
#include "cli/framework/command.hpp"
#include "core/version.hpp"
#include "report/terminal.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kIndent = 29;
constexpr std::size_t kRoom = 80 - kIndent;

std::string text_of(const std::vector<Capability>& capabilities, const TextStyle& style) {
  std::string text = fmt::format("switchyard {}\n\n", kProgramVersion);
  for (const Capability& capability : capabilities) {
    const std::string state = fmt::format("{:<8}", capability_state_name(capability.state));
    const bool works = capability.state == Capability::State::Works;
    text += fmt::format("  {:<17}{}  {}\n",
                        capability.name,
                        works ? state : style.warning(state),
                        wrapped(capability.detail, kRoom, kIndent));
    if (!capability.hint.empty()) {
      text += fmt::format("{:{}}{}\n", "", kIndent, wrapped(capability.hint, kRoom, kIndent));
    }
  }
  return text;
}

std::string json_of(const std::vector<Capability>& capabilities) {
  ordered_json document{{"program_version", kProgramVersion},
                        {"capabilities", ordered_json::array()}};
  for (const Capability& capability : capabilities) {
    document["capabilities"].push_back({{"name", capability.name},
                                        {"state", capability_state_name(capability.state)},
                                        {"detail", capability.detail},
                                        {"hint", capability.hint}});
  }
  return document.dump(2) + "\n";
}

class DoctorCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "[--json]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard doctor", "switchyard doctor --json"};
  }

  void declare(OptionTable& table) const override { declare_json(table); }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const auto capabilities = find_capabilities();
    print_text(options.has("json") ? json_of(capabilities)
                                   : text_of(capabilities, TextStyle::of(stdout)));
    return ExitCode::Ok;
  }
};

const RegisterCommand<DoctorCommand> kDoctor{"doctor", "what works on this machine, and why not"};

}  // namespace
}  // namespace switchyard
