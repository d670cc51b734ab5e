// SQLite with errors that name the file: result files, measured timelines and foreign databases.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace switchyard {

class SqliteDatabase {
 public:
  enum class Mode { ReadOnly, Write };

  /// Opens an existing file, or for Write also an empty one. `where` is what messages call it (the
  /// target, where the file written is still a temporary one). Throws InvalidInput.
  SqliteDatabase(const std::filesystem::path& path, Mode mode, Location where);

  /// Runs statements that give no rows.
  void run(const std::string& sql) const;
  /// Names of all tables and views, in the order of creation.
  [[nodiscard]] std::vector<std::string> tables() const;
  /// Column names of a table; empty if there is no such table.
  [[nodiscard]] std::vector<std::string> columns(const std::string& table) const;

  /// Throws InvalidInput unless SQLite's result `code` is a good one: locked, damaged, full, ...
  void check(int code) const;

  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }

  [[nodiscard]] const Location& where() const { return where_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };

  std::unique_ptr<sqlite3, Close> handle_;
  Location where_;
};

/// One prepared statement. Columns and parameters count from 0. The database must outlive it.
class SqliteStatement {
 public:
  SqliteStatement(const SqliteDatabase& database, const std::string& sql);

  /// The next row, if there is one.
  bool step();
  /// Runs a statement that gives no row and makes it ready for the next values.
  void execute();

  void bind(int parameter, std::int64_t value);
  void bind(int parameter, double value);
  void bind(int parameter, std::string_view text);
  void bind_null(int parameter);

  [[nodiscard]] int column_count() const;
  [[nodiscard]] std::string column_name(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] bool is_integer(int column) const;
  [[nodiscard]] bool is_real(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  /// Lives until the next step().
  [[nodiscard]] std::string_view text(int column) const;

 private:
  struct Finish {
    void operator()(sqlite3_stmt* statement) const;
  };

  const SqliteDatabase& database_;
  std::unique_ptr<sqlite3_stmt, Finish> handle_;
};

/// A name of a table or column as SQL wants it: in quotes, quotes inside doubled.
std::string quoted_name(std::string_view name);

/// Whether a file begins as an SQLite database does; never throws.
bool is_sqlite_file(const std::filesystem::path& path);

}  // namespace switchyard
