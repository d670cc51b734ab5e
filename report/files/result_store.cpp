// SQLite writes into AtomicFile's temporary file, without a journal of its own: the rename is the
// transaction.
#include "report/files/result_store.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/files/atomic_file.hpp"
#include "core/files/sqlite.hpp"
#include "report/files/result_json.hpp"

namespace switchyard {
namespace {

void insert(SqliteStatement& statement, const ResultTable::Row& row) {
  int column = 0;
  for (const MetricValue& value : row) {
    if (const auto* words = std::get_if<std::string>(&value)) {
      statement.bind(column, *words);
    } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      statement.bind(column, *whole);
    } else if (const auto* number = std::get_if<double>(&value)) {
      statement.bind(column, *number);
    } else {
      statement.bind_null(column);
    }
    ++column;
  }
  statement.execute();
}

MetricValue value_of(const SqliteStatement& statement, int column) {
  if (statement.is_integer(column)) {
    return statement.integer(column);
  }
  if (statement.is_real(column)) {
    return statement.real(column);
  }
  return statement.is_null(column) ? MetricValue()
                                   : MetricValue(std::string(statement.text(column)));
}

void write_table(const SqliteDatabase& database, const ResultTable& table) {
  std::string columns;
  std::string marks;
  for (const ResultColumn& column : table.columns) {
    columns += fmt::format("{}\"{}\" {}", columns.empty() ? "" : ", ", column.name, column.type);
    marks += marks.empty() ? "?" : ", ?";
  }
  database.run(fmt::format("CREATE TABLE \"{}\" ({})", table.name, columns));
  SqliteStatement statement(database,
                            fmt::format("INSERT INTO \"{}\" VALUES ({})", table.name, marks));
  table.each_row([&](const ResultTable::Row& row) { insert(statement, row); });
}

std::vector<Metric> first_row(const SqliteDatabase& database, const std::string& sql) {
  SqliteStatement query(database, sql);
  std::vector<Metric> row;
  if (query.step()) {
    for (int column = 0; column < query.column_count(); ++column) {
      row.push_back({query.column_name(column), value_of(query, column)});
    }
  }
  return row;
}

void read_study(const SqliteDatabase& database, StoredResult& stored, const Location& where) {
  SqliteStatement study(database, "SELECT format_version, program_version FROM study");
  const MetricValue version = study.step() ? value_of(study, 0) : MetricValue();
  if (!std::holds_alternative<std::int64_t>(version)) {
    throw InvalidInput("is an SQLite file, but no result of switchyard", where);
  }
  stored.format_version = std::get<std::int64_t>(version);
  stored.program_version = std::string(study.text(1));
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
    const SqliteDatabase database(
        file.temporary_path(), SqliteDatabase::Mode::Write, {path.string(), ""});
    database.run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
    for (const ResultTable& table : result_tables(result)) {
      write_table(database, table);
    }
    database.run("COMMIT");
  }
  file.commit();
}

StoredResult read_result_store(const std::filesystem::path& path) {
  const Location where{path.string(), ""};
  const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, where);
  StoredResult stored;
  const std::vector<std::string> tables = database.tables();
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
  SqliteStatement metrics(database,
                          "SELECT name, coalesce(text, value) FROM metric ORDER BY rowid");
  while (metrics.step()) {
    stored.metrics.push_back({std::string(metrics.text(0)), value_of(metrics, 1)});
  }
  for (const std::string& table : tables) {
    SqliteStatement count(database, "SELECT count(*) FROM " + quoted_name(table));
    count.step();
    stored.row_counts.emplace_back(table, count.integer(0));
  }
  return stored;
}

}  // namespace switchyard
