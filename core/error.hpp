// What went wrong, where, and how to mend it: the only exceptions Switchyard throws on purpose.
// Each class stands for one documented exit code of the program.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace switchyard {

/// Documented process exit codes (see README).
enum class ExitCode {
  Ok = 0,
  LimitBroken = 1,
  BadInput = 2,
  MissingCapability = 3,
  SomePointsFailed = 4,
  Bug = 70,
  Interrupted = 130,
};

/// A place in something the user gave us: a file and, inside it, a JSON pointer, line or offset.
struct Location {
  std::string file;   // path, "-" for standard input, or the option's name; may be empty
  std::string place;  // "#/links/3/bandwidth", "line 12", "offset 4096"; may be empty

  /// The same file, one JSON pointer step deeper.
  [[nodiscard]] Location child(const std::string& key) const;
  [[nodiscard]] Location child(std::size_t index) const;
  [[nodiscard]] Location at_line(std::size_t line) const;
  [[nodiscard]] Location at_offset(std::size_t offset) const;
  /// "file#/pointer", "file: line 12", or whichever part is known.
  [[nodiscard]] std::string text() const;
};

class Error : public std::runtime_error {
 public:
  Error(const std::string& message, const Location& where, std::string hint, ExitCode code);

  [[nodiscard]] const Location& where() const { return where_; }

  /// How to mend it; may be empty.
  [[nodiscard]] const std::string& hint() const { return hint_; }

  [[nodiscard]] ExitCode exit_code() const { return code_; }

 private:
  Location where_;
  std::string hint_;
  ExitCode code_;
};

/// The user's file, option or value is wrong. Exit code 2.
class InvalidInput : public Error {
 public:
  explicit InvalidInput(const std::string& message,
                        const Location& where = {},
                        const std::string& hint = {});
};

/// The request is fine but this machine or this trace cannot serve it. Exit code 3.
class MissingCapability : public Error {
 public:
  explicit MissingCapability(const std::string& message,
                             const Location& where = {},
                             const std::string& hint = {});
};

/// A promise of ours is broken. Exit code 70.
class InternalError : public Error {
 public:
  explicit InternalError(const std::string& message);
};

/// The user pressed Ctrl-C. Exit code 130.
class Interrupted : public Error {
 public:
  explicit Interrupted(const std::string& message = "interrupted");
};

}  // namespace switchyard
