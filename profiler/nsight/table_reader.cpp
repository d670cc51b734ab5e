#include "profiler/nsight/table_reader.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace switchyard {

NsightTable::NsightTable(const SqliteDatabase& database,
                         const std::string& table,
                         const std::vector<NsightColumn>& columns,
                         TimelineTables& tables)
    : database_(database), table_(table) {
  const auto present = database.columns(table);
  std::string list;
  for (const NsightColumn& column : columns) {
    const auto found =
        std::find_if(column.names.begin(), column.names.end(), [&present](const auto& name) {
          return std::find(present.begin(), present.end(), name) != present.end();
        });
    const bool is_there = found != column.names.end();
    if (!is_there && column.is_needed) {
      throw InvalidInput(
          fmt::format("table {} has no column {}", table, fmt::join(column.names, " or ")),
          database.where(),
          "export it again with a newer nsys: nsys export --type sqlite");
    }
    if (!is_there) {
      tables.note(TimelineNote::Kind::LeftOut,
                  fmt::format("column {}.{}: this export has none", table, column.names.front()));
    }
    list += (list.empty() ? "" : ", ") + (is_there ? quoted_name(*found) : std::string("NULL"));
  }
  query_.emplace(database, "SELECT " + list + " FROM " + quoted_name(table));
}

bool NsightTable::next() {
  ++row_;
  return query_->step();
}

std::int64_t NsightTable::whole(int column) const {
  if (query_->is_integer(column)) {
    return query_->integer(column);
  }
  if (!query_->is_null(column)) {
    fail(fmt::format("\"{}\" is no whole number", query_->text(column).substr(0, 40)));
  }
  return -1;
}

std::int32_t NsightTable::narrow(int column) const {
  const std::int64_t value = whole(column);
  if (value < -1 || value > std::numeric_limits<std::int32_t>::max()) {
    fail(fmt::format("{} is out of range", value));
  }
  return static_cast<std::int32_t>(value);
}

void NsightTable::fail(const std::string& what) const {
  throw InvalidInput(fmt::format("table {}, row {}: {}", table_, row_, what), database_.where());
}

}  // namespace switchyard
