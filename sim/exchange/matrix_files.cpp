#include "sim/exchange/matrix_files.hpp"

#include <charconv>
#include <cmath>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "core/files/text_reader.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kMostRanks = 8192;
constexpr double kMostBytes = 1e15;  // of one block: a thousand terabytes

std::int64_t parse_amount(std::string_view text, Bytes unit, const Location& where) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw InvalidInput(fmt::format("\"{}\" is not a number", text),
                       where,
                       "amounts are plain numbers of bytes, without unit");
  }
  const double bytes = value * static_cast<double>(unit.count);
  if (!(bytes >= 0 && bytes <= kMostBytes)) {
    throw InvalidInput(fmt::format("{} is no possible number of bytes", text),
                       where,
                       "blocks lie between 0 and 1e15 bytes");
  }
  if (bytes != std::floor(bytes)) {
    throw InvalidInput(fmt::format("{} is a fraction of a byte", text),
                       where,
                       "files that count in KiB need the unit said (--matrix-unit 1KiB)");
  }
  return static_cast<std::int64_t>(bytes);
}

/// Appends the numbers of a line to `values`; answers how many.
std::size_t parse_row(std::string_view line,
                      Bytes unit,
                      const Location& where,
                      std::vector<std::int64_t>& values) {
  constexpr std::string_view kSeparators = " \t,";
  std::size_t count = 0;
  while (true) {
    const std::size_t start = line.find_first_not_of(kSeparators);
    if (start == std::string_view::npos) {
      return count;
    }
    line.remove_prefix(start);
    const std::size_t end = std::min(line.find_first_of(kSeparators), line.size());
    values.push_back(parse_amount(line.substr(0, end), unit, where));
    line.remove_prefix(end);
    if (++count > kMostRanks) {
      throw InvalidInput(fmt::format("a row of more than {} ranks", kMostRanks), where);
    }
  }
}

}  // namespace

Matrix<std::int64_t> read_byte_matrix(const std::filesystem::path& path, Bytes unit) {
  SWITCHYARD_CHECK(unit.count > 0, "the unit of a matrix is positive");
  TextReader reader(path);
  std::vector<std::int64_t> values;
  std::size_t columns = 0;
  std::size_t rows = 0;
  std::string_view line;
  while (reader.next(line)) {
    if (line.find_first_not_of(" \t,") == std::string_view::npos || line.front() == '#') {
      continue;
    }
    const std::size_t count = parse_row(line, unit, reader.where(), values);
    if (rows > 0 && count != columns) {
      throw InvalidInput(fmt::format("{} numbers, but the first row has {}", count, columns),
                         reader.where(),
                         "a matrix has one number per rank in every row");
    }
    columns = count;
    if (++rows > columns) {
      throw InvalidInput(fmt::format("more rows than the {} columns", columns),
                         reader.where(),
                         "the matrix must be square: one row per source rank");
    }
  }
  if (rows == 0 || rows != columns) {
    throw InvalidInput(fmt::format("{} rows of {} numbers are no square matrix", rows, columns),
                       {path.string(), ""},
                       "one row per source rank, one number per destination");
  }
  Matrix<std::int64_t> matrix(rows, columns);
  std::ranges::copy(values, matrix.values().begin());
  return matrix;
}

std::string byte_matrix_text(const Matrix<std::int64_t>& bytes, Bytes unit) {
  SWITCHYARD_CHECK(unit.count > 0, "the unit of a matrix is positive");
  fmt::memory_buffer text;
  for (std::size_t row = 0; row < bytes.rows(); ++row) {
    for (std::size_t column = 0; column < bytes.columns(); ++column) {
      fmt::format_to(std::back_inserter(text),
                     "{}{}",
                     column == 0 ? "" : " ",
                     (bytes(row, column) + unit.count / 2) / unit.count);
    }
    text.push_back('\n');
  }
  return fmt::to_string(text);
}

Exchange exchange_of_matrix(Matrix<std::int64_t> bytes, const Fabric& fabric) {
  if (bytes.rows() > fabric.rank_count()) {
    throw InvalidInput(fmt::format("a matrix of {} ranks does not fit on the {} GPUs of \"{}\"",
                                   bytes.rows(),
                                   fabric.rank_count(),
                                   fabric.name()),
                       {},
                       "choose a larger topology");
  }
  Exchange exchange{.copy_bytes = std::move(bytes)};
  for (std::size_t rank = 0; rank < exchange.rank_count(); ++rank) {
    exchange.node_of_rank.push_back(fabric.node_of(RankId(rank)).value);
  }
  return exchange;
}

std::string flows_csv(const Schedule& schedule, const Timeline& timeline) {
  if (timeline.finish_s.size() != schedule.transfer_count()) {
    throw MissingCapability("the network \"" + timeline.network + "\" does not time transfers",
                            {},
                            "choose one that does (--network fluid)");
  }
  fmt::memory_buffer text;
  fmt::format_to(std::back_inserter(text), "source,destination,bytes,start_s,finish_s\n");
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    fmt::format_to(std::back_inserter(text),
                   "{},{},{},{},{}\n",
                   schedule.source[i],
                   schedule.destination[i],
                   schedule.bytes[i],
                   timeline.start_s[i],
                   timeline.finish_s[i]);
  }
  return fmt::to_string(text);
}

}  // namespace switchyard
