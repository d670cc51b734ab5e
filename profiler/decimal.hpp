// Decimal texts as scaled whole numbers, without a double in between: a time stamp of 19 digits
// does not fit one.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard {

/// `text` x 10^`power`, rounded to the nearest whole number (halves away from zero):
/// ("4458677009853.422", 3) -> 4458677009853422. Nothing if it is no decimal number, or too large.
std::optional<std::int64_t> scaled_decimal(std::string_view text, int power);

}  // namespace switchyard
