// SQLite writes into AtomicFile's temporary file, without a journal of its own: the rename is the
// transaction.
#include "report/files/result_store.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>

#include <fmt/format.h>
#include <sqlite3.h>

#include "core/files/atomic_file.hpp"
#include "report/files/result_json.hpp"

namespace switchyard {
namespace {

class Database {
 public:
  Database(const std::filesystem::path& path, int flags, Location where)
      : where_(std::move(where)) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
    handle_.reset(opened);
    check(code);
  }

  void run(const std::string& sql) const {
    check(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr));
  }

  void check(int code) const {
    if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
      const char* reason = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
      throw InvalidInput(fmt::format("SQLite: {}", reason), where_);
    }
  }

  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  std::unique_ptr<sqlite3, Close> handle_;
  Location where_;
};

class Statement {
 public:
  Statement(const Database& database, const std::string& sql) : database_(database) {
    sqlite3_stmt* prepared = nullptr;
    database.check(sqlite3_prepare_v2(database.handle(), sql.c_str(), -1, &prepared, nullptr));
    handle_.reset(prepared);
  }

  /// The next row, if there is one.
  bool step() {
    const int code = sqlite3_step(handle_.get());
    database_.check(code);
    return code == SQLITE_ROW;
  }

  /// Runs an INSERT with these values.
  void insert(const ResultTable::Row& row) {
    int column = 1;
    for (const MetricValue& value : row) {
      database_.check(bind(column, value));
      ++column;
    }
    step();
    database_.check(sqlite3_reset(handle_.get()));
  }

  [[nodiscard]] int column_count() const { return sqlite3_column_count(handle_.get()); }

  [[nodiscard]] std::string column_name(int column) const {
    const char* name = sqlite3_column_name(handle_.get(), column);
    return name == nullptr ? "" : name;
  }

  [[nodiscard]] MetricValue value(int column) const {
    switch (sqlite3_column_type(handle_.get(), column)) {
      case SQLITE_INTEGER:
        return std::int64_t{sqlite3_column_int64(handle_.get(), column)};
      case SQLITE_FLOAT:
        return sqlite3_column_double(handle_.get(), column);
      case SQLITE_NULL:
        return {};
      default:
        return text(column);
    }
  }

  [[nodiscard]] std::string text(int column) const {
    const auto* bytes = sqlite3_column_text(handle_.get(), column);
    return bytes == nullptr ? "" : reinterpret_cast<const char*>(bytes);
  }

 private:
  struct Finish {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  int bind(int column, const MetricValue& value) {
    sqlite3_stmt* statement = handle_.get();
    if (const auto* words = std::get_if<std::string>(&value)) {
      return sqlite3_bind_text(
          statement, column, words->data(), static_cast<int>(words->size()), SQLITE_TRANSIENT);
    }
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      return sqlite3_bind_int64(statement, column, *whole);
    }
    if (const auto* number = std::get_if<double>(&value)) {
      return sqlite3_bind_double(statement, column, *number);
    }
    return sqlite3_bind_null(statement, column);
  }

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, Finish> handle_;
};

void write_table(const Database& database, const ResultTable& table) {
  std::string columns;
  std::string marks;
  for (const ResultColumn& column : table.columns) {
    columns += fmt::format("{}\"{}\" {}", columns.empty() ? "" : ", ", column.name, column.type);
    marks += marks.empty() ? "?" : ", ?";
  }
  database.run(fmt::format("CREATE TABLE \"{}\" ({})", table.name, columns));
  Statement insert(database, fmt::format("INSERT INTO \"{}\" VALUES ({})", table.name, marks));
  table.each_row([&](const ResultTable::Row& row) { insert.insert(row); });
}

std::vector<Metric> first_row(const Database& database, const std::string& sql) {
  Statement query(database, sql);
  std::vector<Metric> row;
  if (query.step()) {
    for (int column = 0; column < query.column_count(); ++column) {
      row.push_back({query.column_name(column), query.value(column)});
    }
  }
  return row;
}

void read_study(const Database& database, StoredResult& stored, const Location& where) {
  Statement study(database, "SELECT format_version, program_version FROM study");
  const MetricValue version = study.step() ? study.value(0) : MetricValue();
  if (!std::holds_alternative<std::int64_t>(version)) {
    throw InvalidInput("is an SQLite file, but no result of switchyard", where);
  }
  stored.format_version = std::get<std::int64_t>(version);
  stored.program_version = study.text(1);
  if (stored.format_version > kResultFormatVersion) {
    throw InvalidInput(fmt::format("is of result format {}, newer than this program's {}",
                                   stored.format_version,
                                   kResultFormatVersion),
                       where,
                       "it was written by switchyard " + stored.program_version);
  }
}

}  // namespace

void write_result_store(const SimulationResult& result,
                        const std::filesystem::path& path,
                        bool overwrite) {
  AtomicFile file(path, overwrite);
  {
    const Database database(file.temporary_path(), SQLITE_OPEN_READWRITE, {path.string(), ""});
    database.run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
    for (const ResultTable& table : result_tables(result)) {
      write_table(database, table);
    }
    database.run("COMMIT");
  }
  file.commit();
}

bool is_sqlite_file(const std::filesystem::path& path) {
  static constexpr std::string_view kMagic{"SQLite format 3\0", 16};
  std::array<char, kMagic.size()> start{};
  std::ifstream file(path, std::ios::binary);
  return file.read(start.data(), start.size()) &&
         std::string_view(start.data(), start.size()) == kMagic;
}

StoredResult read_result_store(const std::filesystem::path& path) {
  const Location where{path.string(), ""};
  const Database database(path, SQLITE_OPEN_READONLY, where);
  StoredResult stored;
  std::vector<std::string> tables;
  Statement names(database, "SELECT name FROM sqlite_master WHERE type='table' ORDER BY rowid");
  while (names.step()) {
    tables.push_back(names.text(0));
  }
  for (const char* needed : {"study", "point", "metric"}) {
    if (std::find(tables.begin(), tables.end(), needed) == tables.end()) {
      throw InvalidInput(
          fmt::format("is an SQLite file, but no result of switchyard: it has no table \"{}\"",
                      needed),
          where);
    }
  }
  read_study(database, stored, where);
  stored.point = first_row(database, "SELECT * FROM point ORDER BY point LIMIT 1");
  Statement metrics(database, "SELECT name, coalesce(text, value) FROM metric ORDER BY rowid");
  while (metrics.step()) {
    stored.metrics.push_back({metrics.text(0), metrics.value(1)});
  }
  for (const std::string& table : tables) {
    // A name of a foreign table may hold quotes; ours never do.
    if (table.find('"') == std::string::npos) {
      Statement count(database, fmt::format("SELECT count(*) FROM \"{}\"", table));
      count.step();
      stored.row_counts.emplace_back(table, std::get<std::int64_t>(count.value(0)));
    }
  }
  return stored;
}

}  // namespace switchyard
