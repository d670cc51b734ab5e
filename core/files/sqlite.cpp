#include "core/files/sqlite.hpp"

#include <array>
#include <fstream>

#include <fmt/format.h>
#include <sqlite3.h>

namespace switchyard {
namespace {

std::string what_failed(int code, const char* reason) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "is locked by another program";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fmt::format("is damaged, or no SQLite database: {}", reason);
    default:
      return fmt::format("SQLite: {}", reason);
  }
}

std::string how_to_mend(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "wait until it is done, or work on a copy of the file";
    case SQLITE_CORRUPT:
      return "copy or export the file again";
    default:
      return {};
  }
}

}  // namespace

void SqliteDatabase::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

SqliteDatabase::SqliteDatabase(const std::filesystem::path& path, Mode mode, Location where)
    : where_(std::move(where)) {
  sqlite3* opened = nullptr;
  // A database belongs to one thread at a time, so its own lock would only cost.
  const int flags =
      SQLITE_OPEN_NOMUTEX | (mode == Mode::ReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  handle_.reset(opened);
  check(code);
}

void SqliteDatabase::check(int code) const {
  if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
    const char* reason = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
    throw InvalidInput(what_failed(code, reason), where_, how_to_mend(code));
  }
}

void SqliteDatabase::run(const std::string& sql) const {
  check(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

std::vector<std::string> SqliteDatabase::tables() const {
  SqliteStatement query(
      *this, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid");
  std::vector<std::string> names;
  while (query.step()) {
    names.emplace_back(query.text(0));
  }
  return names;
}

std::vector<std::string> SqliteDatabase::columns(const std::string& table) const {
  SqliteStatement query(*this, "PRAGMA table_info(" + quoted_name(table) + ")");
  std::vector<std::string> names;
  while (query.step()) {
    names.emplace_back(query.text(1));
  }
  return names;
}

void SqliteStatement::Finish::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteStatement::SqliteStatement(const SqliteDatabase& database, const std::string& sql)
    : database_(database) {
  sqlite3_stmt* prepared = nullptr;
  database.check(sqlite3_prepare_v2(
      database.handle(), sql.data(), static_cast<int>(sql.size()), &prepared, nullptr));
  handle_.reset(prepared);
}

bool SqliteStatement::step() {
  const int code = sqlite3_step(handle_.get());
  database_.check(code);
  return code == SQLITE_ROW;
}

void SqliteStatement::execute() {
  step();
  database_.check(sqlite3_reset(handle_.get()));
}

void SqliteStatement::bind(int parameter, std::int64_t value) {
  database_.check(sqlite3_bind_int64(handle_.get(), parameter + 1, value));
}

void SqliteStatement::bind(int parameter, double value) {
  database_.check(sqlite3_bind_double(handle_.get(), parameter + 1, value));
}

void SqliteStatement::bind(int parameter, std::string_view text) {
  database_.check(sqlite3_bind_text(
      handle_.get(), parameter + 1, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
}

void SqliteStatement::bind_null(int parameter) {
  database_.check(sqlite3_bind_null(handle_.get(), parameter + 1));
}

int SqliteStatement::column_count() const {
  return sqlite3_column_count(handle_.get());
}

std::string SqliteStatement::column_name(int column) const {
  const char* name = sqlite3_column_name(handle_.get(), column);
  return name == nullptr ? "" : name;
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

bool SqliteStatement::is_integer(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_INTEGER;
}

bool SqliteStatement::is_real(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_FLOAT;
}

std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

double SqliteStatement::real(int column) const {
  return sqlite3_column_double(handle_.get(), column);
}

std::string_view SqliteStatement::text(int column) const {
  const auto* bytes = sqlite3_column_text(handle_.get(), column);
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(reinterpret_cast<const char*>(bytes),
                                             static_cast<std::size_t>(size));
}

std::string quoted_name(std::string_view name) {
  std::string quoted = "\"";
  for (const char letter : name) {
    quoted += letter;
    if (letter == '"') {
      quoted += letter;
    }
  }
  return quoted + "\"";
}

bool is_sqlite_file(const std::filesystem::path& path) {
  static constexpr std::string_view kMagic{"SQLite format 3\0", 16};
  std::array<char, kMagic.size()> start{};
  std::ifstream file(path, std::ios::binary);
  return file.read(start.data(), start.size()) &&
         std::string_view(start.data(), start.size()) == kMagic;
}

}  // namespace switchyard
