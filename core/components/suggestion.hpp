// "Did you mean": the known name nearest to a mistyped one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace switchyard {

/// The known name within a plausible typing distance of `typed` (edit distance with
/// transpositions, at most a third of the length), or nothing. Ties go to the earlier name.
std::optional<std::string> nearest_name(std::string_view typed, std::span<const std::string> known);

/// "did you mean X?" or, if nothing is near, "known: a, b, c" (cut after ten names).
std::string suggestion_hint(std::string_view typed, std::span<const std::string> known);

}  // namespace switchyard
