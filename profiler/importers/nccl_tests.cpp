// Text output of nccl-tests and rccl-tests (alltoall_perf, alltoallv_perf, ...): mean time per
// message size, out of place and in place; columns are found by the header. Where a "rank" column
// leads (one table line per rank and size), rows keep their rank.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "core/files/text_reader.hpp"
#include "profiler/decimal.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kNcclTestsHead = 65536;
constexpr double kGigabyte = 1e9;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  std::size_t at = 0;
  while (true) {
    at = line.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) {
      return words;
    }
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
}

// Where the four figures of one placement stand.
struct Figures {
  std::size_t time = 0;
  std::size_t algorithm_bandwidth = 0;
  std::size_t bus_bandwidth = 0;
  std::optional<std::size_t> wrong{};
};

struct ResultColumns {
  std::size_t count = 0;
  std::size_t size = 0;
  std::optional<std::size_t> rank;
  std::optional<std::size_t> type;
  std::vector<Figures> placements;  // out of place, then in place
};

// "# size count type redop root time algbw busbw #wrong time algbw busbw #wrong"
std::optional<ResultColumns> parse_header(std::string_view line) {
  if (!line.starts_with('#')) {
    return std::nullopt;
  }
  const auto words = words_of(line.substr(1));
  ResultColumns columns;
  columns.count = words.size();
  bool has_size = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "size") {
      columns.size = i;
      has_size = true;
    } else if (words[i] == "rank") {
      columns.rank = i;
    } else if (words[i] == "type") {
      columns.type = i;
    } else if (words[i] == "time") {
      columns.placements.push_back({.time = i});
    } else if (columns.placements.empty()) {
      continue;
    } else if (words[i] == "algbw") {
      columns.placements.back().algorithm_bandwidth = i;
    } else if (words[i] == "busbw") {
      columns.placements.back().bus_bandwidth = i;
    } else if (words[i] == "#wrong" || words[i] == "error") {
      columns.placements.back().wrong = i;
    }
  }
  const bool is_whole =
      has_size && !columns.placements.empty() &&
      std::all_of(columns.placements.begin(), columns.placements.end(), [](const Figures& figures) {
        return figures.algorithm_bandwidth > 0 && figures.bus_bandwidth > 0;
      });
  return is_whole ? std::optional(columns) : std::nullopt;
}

// "alltoallv" of a line that names ".../alltoallv_perf"; empty if it names no test.
std::string test_in(std::string_view line) {
  const std::size_t end = line.find("_perf");
  if (end == std::string_view::npos) {
    return {};
  }
  const std::size_t begin = line.find_last_of(" \t/'\"", end);
  const std::size_t start = begin == std::string_view::npos ? 0 : begin + 1;
  return std::string(line.substr(start, end - start));
}

class OutputReader {
 public:
  OutputReader(const TextReader& reader, std::string operation, TimelineSink& sink)
      : reader_(reader), operation_(std::move(operation)), sink_(sink) {}

  void read(std::string_view line) {
    if (const auto header = parse_header(line)) {
      columns_ = header;
      return;
    }
    if (operation_.empty()) {
      operation_ = test_in(line);
    }
    // "#  Rank  3 Group  0 Pid ..." lists the devices; a table row starts with a number.
    if (line.starts_with('#')) {
      const auto words = words_of(line.substr(1));
      ranks_ += words.size() > 2 && words[0] == "Rank" && line.find(" Pid ") != line.npos ? 1 : 0;
      return;
    }
    const auto words = words_of(line);
    const bool is_row = columns_ && !words.empty() && words[0][0] >= '0' && words[0][0] <= '9';
    if (is_row) {
      add_row(words);
    }
  }

  // Rows come before anything is known of the operation: it is filled in at the end.
  void finish(std::size_t first) {
    const std::string name = operation_.empty() ? "" : collective_operation(operation_);
    for (std::size_t i = first; i < sink_.tables.timings.size(); ++i) {
      sink_.tables.timings[i].operation = sink_.intern(name);
      sink_.tables.timings[i].ranks = ranks_ > 0 ? ranks_ : -1;
    }
  }

  [[nodiscard]] bool knows_operation() const { return !operation_.empty(); }

 private:
  void add_row(const std::vector<std::string_view>& words) {
    if (words.size() != columns_->count) {
      throw InvalidInput(
          fmt::format("{} columns where the header has {}", words.size(), columns_->count),
          reader_.where(),
          "the output was cut, or lines of several processes are mixed");
    }
    bool is_in_place = false;
    for (const Figures& figures : columns_->placements) {
      CollectiveTiming timing;
      timing.bytes = whole(words[columns_->size]);
      timing.rank = columns_->rank ? static_cast<std::int32_t>(whole(words[*columns_->rank])) : -1;
      timing.data_type = columns_->type ? sink_.intern(words[*columns_->type]) : NameId{};
      timing.is_in_place = is_in_place;
      is_in_place = true;
      if (words[figures.time] == "N/A") {
        continue;
      }
      timing.time_ns = figure(words[figures.time]) * 1e3;
      timing.algorithm_bandwidth = figure(words[figures.algorithm_bandwidth]) * kGigabyte;
      timing.bus_bandwidth = figure(words[figures.bus_bandwidth]) * kGigabyte;
      if (figures.wrong && words[*figures.wrong] != "N/A") {
        timing.wrong = static_cast<std::int64_t>(figure(words[*figures.wrong]));
        if (timing.wrong > 0) {
          sink_.tables.note(TimelineNote::Kind::Doubtful, "row whose results were wrong");
        }
      }
      sink_.tables.timings.push_back(timing);
    }
  }

  [[nodiscard]] std::int64_t whole(std::string_view word) const {
    const auto number = scaled_decimal(word, 0);
    if (!number || word.find('.') != word.npos || *number < 0) {
      throw InvalidInput(fmt::format("\"{}\" is no whole number", word.substr(0, 40)),
                         reader_.where());
    }
    return *number;
  }

  [[nodiscard]] double figure(std::string_view word) const {
    double number = 0;
    const char* const end = word.data() + word.size();
    const auto [stopped, problem] = std::from_chars(word.data(), end, number);
    if (problem != std::errc() || stopped != end || !(number >= 0) || number - number != 0) {
      throw InvalidInput(fmt::format("\"{}\" is no time or bandwidth", word.substr(0, 40)),
                         reader_.where());
    }
    return number;
  }

  const TextReader& reader_;
  std::string operation_;
  TimelineSink& sink_;
  std::optional<ResultColumns> columns_;
  std::int32_t ranks_ = 0;
};

class NcclTestsImporter final : public TimelineImporter {
 public:
  explicit NcclTestsImporter(Parameters& parameters)
      : operation_(parameters.get_text(
            "operation", "", "what was measured (alltoall, ...); empty = as the output says")) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    const std::string start = first_bytes(path, kNcclTestsHead);
    std::size_t begin = 0;
    while (begin < start.size()) {
      const std::size_t end = std::min(start.find('\n', begin), start.size());
      if (parse_header(std::string_view(start).substr(begin, end - begin))) {
        return true;
      }
      begin = end + 1;
    }
    return false;
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& /*progress*/) const override {
    sink.tables.format = "nccl_tests";
    sink.tables.source = path.string();
    sink.tables.processes.emplace_back();
    const std::size_t first = sink.tables.timings.size();
    TextReader reader(path);
    std::string_view line;
    OutputReader output(reader, operation_.empty() ? operation_in_name(path) : operation_, sink);
    while (reader.next(line)) {
      output.read(line);
    }
    if (sink.tables.timings.size() == first) {
      throw InvalidInput("holds no row of measurements", {path.string(), ""});
    }
    if (!output.knows_operation()) {
      throw InvalidInput("does not say which operation was measured",
                         {path.string(), ""},
                         "name it: --set operation=alltoall");
    }
    output.finish(first);
  }

 private:
  static std::string operation_in_name(const std::filesystem::path& path) {
    return test_in(path.filename().string());
  }

  std::string operation_;
};

const Register<TimelineImporter, NcclTestsImporter> kNcclTests{
    "nccl_tests", "text output of nccl-tests or rccl-tests: time per message size"};

}  // namespace
}  // namespace switchyard
