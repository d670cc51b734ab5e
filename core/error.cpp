// Message layout of every error: place first, then what, so that editors can jump to it.
#include "core/error.hpp"

#include <utility>

namespace switchyard {
namespace {

std::string prefixed(const std::string& message, const Location& where) {
  const std::string place = where.text();
  return place.empty() ? message : place + ": " + message;
}

// RFC 6901: '~' and '/' inside a key are written "~0" and "~1".
std::string pointer_token(const std::string& key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

}  // namespace

Location Location::child(const std::string& key) const {
  return {file, (place.empty() ? "#" : place) + "/" + pointer_token(key)};
}

Location Location::child(std::size_t index) const {
  return child(std::to_string(index));
}

Location Location::at_line(std::size_t line) const {
  return {file, "line " + std::to_string(line)};
}

Location Location::at_offset(std::size_t offset) const {
  return {file, "offset " + std::to_string(offset)};
}

std::string Location::text() const {
  if (file.empty() || place.empty()) {
    return file + place;
  }
  return place.front() == '#' ? file + place : file + ": " + place;
}

Error::Error(const std::string& message, const Location& where, std::string hint, ExitCode code)
    : std::runtime_error(prefixed(message, where)),
      where_(where),
      hint_(std::move(hint)),
      code_(code) {}

InvalidInput::InvalidInput(const std::string& message,
                           const Location& where,
                           const std::string& hint)
    : Error(message, where, hint, ExitCode::BadInput) {}

MissingCapability::MissingCapability(const std::string& message,
                                     const Location& where,
                                     const std::string& hint)
    : Error(message, where, hint, ExitCode::MissingCapability) {}

InternalError::InternalError(const std::string& message)
    : Error(message, {}, "this is a bug in switchyard: please report it", ExitCode::Bug) {}

Interrupted::Interrupted(const std::string& message)
    : Error(message, {}, {}, ExitCode::Interrupted) {}

}  // namespace switchyard
