// The phases of an MoE layer, and the rules (a JSON file) that tell them by the names in a profile.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

/// In the order of a layer. Exchange: an all-to-all that may be dispatch or combine; Unclassified:
/// no rule matched.
enum class MoePhase : std::uint8_t {
  Gate,
  Permute,
  Dispatch,
  Wait,
  ExpertGemm,
  Combine,
  Unpermute,
  Exchange,
  Other,
  Unclassified,
};

inline constexpr std::size_t kMoePhases = 10;

inline constexpr std::array<std::string_view, kMoePhases> kMoePhaseNames{"gate",
                                                                         "permute",
                                                                         "dispatch",
                                                                         "wait",
                                                                         "expert_gemm",
                                                                         "combine",
                                                                         "unpermute",
                                                                         "exchange",
                                                                         "other",
                                                                         "unclassified"};

inline std::string_view moe_phase_name(MoePhase phase) {
  return kMoePhaseNames[static_cast<std::size_t>(phase)];
}

/// Which text a rule is asked about.
enum class RuleSubject { Name, Range, Operation };

class PhaseRules {
 public:
  /// The built-in rules.
  static PhaseRules defaults();
  /// A file of the user's before the built-in rules, unless it replaces them. Throws InvalidInput.
  static PhaseRules load(const std::filesystem::path& path);

  /// The phase of the first rule that has a pattern for `subject` found in `text`; else, of a
  /// range, the phase that has exactly its name.
  [[nodiscard]] std::optional<MoePhase> find(RuleSubject subject, std::string_view text) const;

 private:
  struct Rule {
    MoePhase phase = MoePhase::Other;
    std::array<std::vector<std::string>, 3> patterns;  // by subject, lower case
  };

  void add(std::string_view text, const Location& where);

  std::vector<Rule> rules_;
};

/// Whether the parts of `pattern` (split at *) are found in `text` in this order, upper and lower
/// case alike. `pattern` is lower case.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace switchyard
