// Rows of a table of an Nsight Systems export, whose columns vary by version.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/sqlite.hpp"
#include "profiler/event_timeline.hpp"

namespace switchyard {

/// A column wanted: the first of `names` that the table has.
struct NsightColumn {
  std::vector<std::string> names;
  bool is_needed = false;
};

class NsightTable {
 public:
  /// Throws InvalidInput if a needed column is missing; another one is noted and reads as NULL.
  NsightTable(const SqliteDatabase& database,
              const std::string& table,
              const std::vector<NsightColumn>& columns,
              TimelineTables& tables);

  /// Steps to the next row, if there is one.
  bool next();
  /// A whole number; NULL gives -1. Throws InvalidInput naming the row for anything else.
  [[nodiscard]] std::int64_t whole(int column) const;
  /// The same, from -1 to the largest 32-bit number.
  [[nodiscard]] std::int32_t narrow(int column) const;

  [[nodiscard]] bool is_null(int column) const { return query_->is_null(column); }

  [[nodiscard]] std::string_view text(int column) const { return query_->text(column); }

  [[noreturn]] void fail(const std::string& what) const;

 private:
  const SqliteDatabase& database_;
  std::string table_;
  std::optional<SqliteStatement> query_;
  std::int64_t row_ = 0;
};

}  // namespace switchyard
