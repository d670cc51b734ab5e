// Selections per expert. Wide: `layer,e0,e1,...`, a line per layer. Long: `layer,expert,count`, a
// line per expert. Both may have `step` and `rank` columns before `layer`; with ranks the exact
// traffic matrix is known.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "core/files/csv_line.hpp"
#include "traces/importer.hpp"
#include "traces/reading/first_line.hpp"
#include "traces/reading/number_scanner.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kLargest = INT64_C(1) << 53;

struct Layout {
  std::vector<std::string> keys;  // of "step", "rank", "layer", in the file's order
  std::size_t experts = 0;        // of a wide file
  bool is_long = false;
};

// Nothing if this is no header of ours.
std::optional<Layout> read_header(std::string_view line) {
  constexpr std::array<std::string_view, 3> kKeys{"step", "rank", "layer"};
  const std::vector<std::string> names = csv_fields(line).value_or(std::vector<std::string>());
  Layout layout;
  std::size_t next = 0;
  while (next < names.size() && std::find(kKeys.begin(), kKeys.end(), names[next]) != kKeys.end()) {
    layout.keys.push_back(names[next++]);
  }
  std::vector<std::string> sorted = layout.keys;
  std::sort(sorted.begin(), sorted.end());
  if (layout.keys.empty() || layout.keys.back() != "layer" ||
      std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return std::nullopt;
  }
  layout.is_long =
      names.size() == next + 2 && names[next] == "expert" && names[next + 1] == "count";
  if (layout.is_long) {
    return layout;
  }
  for (; next < names.size(); ++next, ++layout.experts) {
    if (names[next] != fmt::format("e{}", layout.experts)) {
      return std::nullopt;
    }
  }
  return layout.experts > 0 ? std::optional(layout) : std::nullopt;
}

using Counts = std::map<LoadRow, std::vector<std::int64_t>>;

// A count nobody has written yet, to tell it from zero.
constexpr std::int64_t kUnset = -1;

LoadRow read_keys(NumberScanner& scanner, const Layout& layout) {
  LoadRow row;
  for (const std::string& key : layout.keys) {
    const std::int64_t value = scanner.integer(0, kLargest);
    (key == "step" ? row.step : key == "rank" ? row.source_rank : row.layer) = value;
    scanner.expect(',');
  }
  return row;
}

void read_long_line(NumberScanner scanner, const Layout& layout, Counts& counts) {
  std::vector<std::int64_t>& row = counts[read_keys(scanner, layout)];
  const auto expert = static_cast<std::size_t>(scanner.integer(0, kMostExperts - 1));
  scanner.expect(',');
  const std::int64_t count = scanner.integer(0, kLargest);
  if (!scanner.at_end()) {
    scanner.fail("wanted the end of the line");
  }
  row.resize(std::max(row.size(), expert + 1), kUnset);
  if (row[expert] != kUnset) {
    throw InvalidInput(fmt::format("expert {} comes twice in this layer", expert), scanner.where());
  }
  row[expert] = count;
}

void read_wide_line(NumberScanner scanner, const Layout& layout, Counts& counts) {
  std::vector<std::int64_t>& row = counts[read_keys(scanner, layout)];
  if (!row.empty()) {
    throw InvalidInput("this layer comes twice", scanner.where());
  }
  for (std::size_t i = 0; i < layout.experts; ++i) {
    if (i > 0) {
      scanner.expect(',');
    }
    row.push_back(scanner.integer(0, kLargest));
    if (scanner.skip('.')) {
      throw InvalidInput(fmt::format("the count of expert {} is no whole number", i),
                         scanner.where(),
                         "sums of gate weights look like this; they are no counts");
    }
  }
  if (!scanner.at_end()) {
    scanner.fail("more columns than the header names");
  }
}

class CountCsvImporter final : public Importer {
 public:
  explicit CountCsvImporter(Parameters& parameters)
      : top_k_(parameters.get_integer(
            "top_k",
            0,
            {0, 1024},
            "experts per token; if given, every layer's counts must add up to a multiple of it")),
        experts_(parameters.get_integer(
            "experts", 0, {0, kMostExperts}, "experts per layer; 0 = as many as the file names")) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    constexpr std::size_t kLongestHeader = 1 << 20;
    return read_header(first_line(path, kLongestHeader)).has_value();
  }

  [[nodiscard]] RoutingData read(const std::filesystem::path& path,
                                 const Progress& /*progress*/) const override {
    TextReader reader(path);
    std::string_view line;
    const auto layout = reader.next(line) ? read_header(line) : std::nullopt;
    if (!layout) {
      throw InvalidInput("the header is neither layer,e0,e1,.. nor layer,expert,count",
                         Location{path.string(), ""}.at_line(1),
                         "`step` and `rank` columns may come before `layer`");
    }
    Counts counts;
    while (reader.next(line)) {
      if (!line.empty() && layout->is_long) {
        read_long_line(NumberScanner(line, reader), *layout, counts);
      } else if (!line.empty()) {
        read_wide_line(NumberScanner(line, reader), *layout, counts);
      }
    }
    return build(counts, {path.string(), ""});
  }

 private:
  [[nodiscard]] ExpertLoad build(const Counts& counts, const Location& where) const {
    std::size_t experts = 0;
    for (const auto& [row, values] : counts) {
      experts = std::max(experts, values.size());
    }
    if (experts_ > 0 && experts > static_cast<std::size_t>(experts_)) {
      throw InvalidInput(fmt::format("expert id {} is outside 0 to {}", experts - 1, experts_ - 1),
                         where);
    }
    experts = experts_ > 0 ? static_cast<std::size_t>(experts_) : experts;
    ExpertLoad load;
    load.where = where;
    load.metadata.model.top_k = top_k_;
    load.metadata.provenance = "imported from counts in CSV";
    load.counts = Matrix<std::int64_t>(counts.size(), experts);
    for (const auto& [row, values] : counts) {
      const std::span<std::int64_t> to = load.counts.row(load.rows.size());
      std::transform(values.begin(), values.end(), to.begin(), [](std::int64_t count) {
        return std::max<std::int64_t>(0, count);
      });
      load.rows.push_back(row);
    }
    check_load(load);
    check_divides(load);
    return load;
  }

  std::int64_t top_k_;
  std::int64_t experts_;
};

const Register<Importer, CountCsvImporter> kCountCsv{
    "count_csv", "CSV layer,e0,e1,.. or layer,expert,count: selections per expert"};

}  // namespace
}  // namespace switchyard
