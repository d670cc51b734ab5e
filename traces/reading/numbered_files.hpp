// Folders of files told apart by a number in their names: "expert_weights_<n>.txt", "rank<n>.bin".
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

namespace switchyard {

/// The number in a name of the form prefix<digits>suffix; nothing for any other name.
std::optional<std::int64_t> number_in_name(std::string_view name,
                                           std::string_view prefix,
                                           std::string_view suffix);

/// Files of that form in `folder`, by number; ".gz" may follow the suffix. Empty if `folder` is no
/// folder. Throws InvalidInput if two files have the same number.
std::map<std::int64_t, std::filesystem::path> numbered_files(const std::filesystem::path& folder,
                                                             std::string_view prefix,
                                                             std::string_view suffix);

}  // namespace switchyard
