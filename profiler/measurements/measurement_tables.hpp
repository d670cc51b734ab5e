// The tables that measurements come in: their columns, and how each becomes rows. Only
// read_measurements() should need this.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "profiler/measurements/measurement.hpp"

namespace switchyard {

/// The fields of one line by the names in the header.
class TableRow {
 public:
  TableRow(const std::map<std::string, std::string>& fields, Location where)
      : fields_(fields), where_(std::move(where)) {}

  [[nodiscard]] const std::string& text(const std::string& column) const;
  /// 0 when the field is empty. Throws InvalidInput for what is no number, and below zero.
  [[nodiscard]] double number(const std::string& column) const;
  [[nodiscard]] std::int64_t integer(const std::string& column) const;

  [[nodiscard]] const Location& where() const { return where_; }

  [[nodiscard]] const std::map<std::string, std::string>& fields() const { return fields_; }

 private:
  const std::map<std::string, std::string>& fields_;
  Location where_;
};

/// One kind of table.
struct TableFormat {
  std::string_view name;
  std::vector<std::string_view> columns;  // all must be there
  /// The measurements of a line; none for an operation that is no all-to-all.
  std::vector<Measurement> (*rows)(const TableRow&, const MeasurementDefaults&);
};

const std::vector<TableFormat>& table_formats();

}  // namespace switchyard
