// CSV of `nsys stats --report cuda_gpu_kern_sum` and its relatives: totals per kernel, no single
// events. Columns are found by their titles, units are read from them; lines before the header
// (what nsys prints on its way) are skipped.
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/files/csv_line.hpp"
#include "core/files/text_reader.hpp"
#include "profiler/decimal.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kStatsHead = 4096;
constexpr std::array<std::pair<std::string_view, int>, 4> kUnits{
    {{"ns", 0}, {"us", 3}, {"ms", 6}, {"s", 9}}};

// A title as letters only, and its unit: "Total Time (ns)" and "total_time_ns" -> totaltime, ns.
struct Title {
  std::string word;
  std::optional<int> power;  // of ten, to nanoseconds
};

Title parse_title(std::string_view text) {
  std::string spread;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    spread += std::isalnum(code) != 0 ? static_cast<char>(std::tolower(code)) : ' ';
  }
  while (!spread.empty() && spread.back() == ' ') {
    spread.pop_back();
  }
  Title title;
  const std::size_t space = spread.rfind(' ');
  const std::string last = spread.substr(space == std::string::npos ? 0 : space + 1);
  for (const auto& [unit, power] : kUnits) {
    if (last == unit) {
      title.power = power;
      spread.resize(space == std::string::npos ? 0 : space);
    }
  }
  spread.erase(std::remove(spread.begin(), spread.end(), ' '), spread.end());
  title.word = spread;
  return title;
}

struct TimeColumn {
  std::size_t index = 0;
  int power = 0;
};

struct StatsColumns {
  std::optional<std::size_t> name;
  std::optional<std::size_t> count;
  std::optional<TimeColumn> total;
  std::optional<TimeColumn> lowest;
  std::optional<TimeColumn> median;
  std::optional<TimeColumn> highest;
};

bool is_one_of(const std::string& word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

StatsColumns find_columns(std::string_view line) {
  StatsColumns columns;
  const auto titles = csv_fields(line).value_or(std::vector<std::string>());
  for (std::size_t i = 0; i < titles.size(); ++i) {
    const Title title = parse_title(titles[i]);
    const auto set = [&](std::optional<TimeColumn>& column) {
      if (title.power && !column) {
        column = TimeColumn{i, *title.power};
      }
    };
    if (is_one_of(title.word, {"name", "kernelname"}) && !columns.name) {
      columns.name = i;
    } else if (is_one_of(title.word, {"instances", "callcount", "calls", "count"})) {
      columns.count = i;
    } else if (is_one_of(title.word, {"totaltime", "total", "totalduration"})) {
      set(columns.total);
    } else if (is_one_of(title.word, {"min", "minduration", "minimum"})) {
      set(columns.lowest);
    } else if (is_one_of(title.word, {"med", "median", "p50duration"})) {
      set(columns.median);
    } else if (is_one_of(title.word, {"max", "maxduration", "maximum"})) {
      set(columns.highest);
    }
  }
  return columns;
}

bool is_header(const StatsColumns& columns) {
  return columns.name && columns.count && columns.total;
}

class NsysStatsImporter final : public TimelineImporter {
 public:
  explicit NsysStatsImporter(Parameters& /*parameters*/) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    const std::string start = first_bytes(path, kStatsHead);
    std::size_t begin = 0;
    while (begin < start.size()) {
      const std::size_t end = std::min(start.find('\n', begin), start.size());
      if (is_header(find_columns(std::string_view(start).substr(begin, end - begin)))) {
        return true;
      }
      begin = end + 1;
    }
    return false;
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& /*progress*/) const override {
    TextReader reader(path);
    std::string_view line;
    StatsColumns columns;
    while (!is_header(columns)) {
      if (!reader.next(line)) {
        throw InvalidInput("has no header with name, number of calls and total time",
                           {path.string(), ""},
                           "write it with nsys stats --report cuda_gpu_kern_sum --format csv");
      }
      columns = find_columns(line);
    }
    const std::size_t width = require_csv_fields(line, reader.where()).size();
    sink.tables.format = "nsys_stats";
    sink.tables.source = path.string();
    const auto process = static_cast<std::uint16_t>(sink.tables.processes.size());
    sink.tables.processes.push_back({.rank = rank_in_name(path)});
    const std::size_t before = sink.tables.summaries.size();
    while (reader.next(line)) {
      if (line.empty()) {
        continue;
      }
      const auto fields = require_csv_fields(line, reader.where());
      if (fields.size() != width) {
        throw InvalidInput(fmt::format("{} fields where the header has {}", fields.size(), width),
                           reader.where());
      }
      sink.tables.summaries.push_back(read_row(fields, columns, process, sink, reader));
    }
    if (sink.tables.summaries.size() == before) {
      throw InvalidInput("holds a header but no kernel", {path.string(), ""});
    }
  }

 private:
  static EventSummary read_row(const std::vector<std::string>& fields,
                               const StatsColumns& columns,
                               std::uint16_t process,
                               TimelineSink& sink,
                               const TextReader& reader) {
    const auto number = [&](std::size_t column, int power) {
      const auto value = scaled_decimal(fields[column], power);
      if (!value || *value < 0) {
        throw InvalidInput(fmt::format("\"{}\" is no count or time", fields[column]),
                           reader.where());
      }
      return *value;
    };
    const auto time = [&](const std::optional<TimeColumn>& column) {
      return column ? static_cast<double>(number(column->index, column->power)) : -1.0;
    };
    return {.kind = EventKind::Kernel,
            .name = sink.intern(fields[*columns.name]),
            .process = process,
            .count = number(*columns.count, 0),
            .total_ns = number(columns.total->index, columns.total->power),
            .min_ns = time(columns.lowest),
            .median_ns = time(columns.median),
            .max_ns = time(columns.highest)};
  }
};

const Register<TimelineImporter, NsysStatsImporter> kNsysStats{
    "nsys_stats", "CSV of nsys stats: totals per kernel"};

}  // namespace
}  // namespace switchyard
