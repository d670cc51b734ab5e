// nlohmann keeps the last of two equal keys in silence; a callback counts keys per object instead.
#include "core/files/json_file.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/text_reader.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

std::string line_and_column(std::string_view text, std::size_t byte, std::size_t first_line) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const auto line =
      first_line + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 == 0
  return fmt::format("line {}, column {}", line, before.size() - line_start + 1);
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> the rest.
// It quotes the input, which may be no valid UTF-8; messages always are.
std::string plain_reason(const std::string& what) {
  const std::size_t syntax = what.find(": ");
  std::string reason = syntax == std::string::npos ? what : what.substr(syntax + 2);
  std::replace_if(
      reason.begin(), reason.end(), [](char c) { return static_cast<signed char>(c) < 0; }, '?');
  return reason;
}

class DuplicateKeyCheck {
 public:
  explicit DuplicateKeyCheck(const Location& where) : where_(where) {}

  bool operator()(int /*depth*/, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      open_objects_.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      open_objects_.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      if (!open_objects_.back().insert(key).second) {
        throw InvalidInput(fmt::format("the key \"{}\" appears twice in one object", key), where_);
      }
    }
    return true;
  }

 private:
  const Location& where_;
  std::vector<std::set<std::string>> open_objects_;
};

}  // namespace

json parse_json(std::string_view text, const Location& where, std::size_t first_line) {
  try {
    DuplicateKeyCheck check(where);
    return json::parse(
        text.begin(), text.end(), [&check](int depth, json::parse_event_t event, json& parsed) {
          return check(depth, event, parsed);
        });
  } catch (const json::parse_error& error) {
    throw InvalidInput(
        "not valid JSON: " + plain_reason(error.what()),
        {where.file, line_and_column(text, error.byte > 0 ? error.byte - 1 : 0, first_line)});
  } catch (const json::out_of_range& error) {
    // A number beyond a double: 1e3080.
    throw InvalidInput("not valid JSON: " + plain_reason(error.what()), where);
  }
}

json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path), {path.string(), ""});
}

}  // namespace switchyard
