// One line per (token, layer): `token,layer,e0..e<k-1>[,p0..p<k-1>]`, plain or gzip. Lines may come
// token by token or layer by layer; within a layer their order is the order of the tokens.
#include <algorithm>

#include <fmt/format.h>

#include "traces/importer.hpp"
#include "traces/reading/first_line.hpp"
#include "traces/reading/number_scanner.hpp"
#include "traces/reading/row_collector.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::string_view kHeaderStart = "token,layer,e0";
constexpr std::int64_t kLargestToken = INT64_C(1) << 53;

struct Columns {
  std::size_t top_k = 0;
  bool has_weights = false;
};

// Builds the only header that has as many columns, and compares.
Columns read_header(std::string_view line, const TextReader& reader) {
  Columns columns;
  std::string expected = "token,layer";
  while (expected.size() < line.size()) {
    const std::string next = fmt::format(",e{}", columns.top_k);
    if (line.substr(expected.size(), next.size()) != next) {
      break;
    }
    expected += next;
    ++columns.top_k;
  }
  columns.has_weights = expected.size() < line.size();
  for (std::size_t i = 0; columns.has_weights && i < columns.top_k; ++i) {
    expected += fmt::format(",p{}", i);
  }
  if (columns.top_k == 0 || line != expected) {
    throw InvalidInput("the header is not token,layer,e0..[,p0..]",
                       reader.where(),
                       fmt::format("got \"{}\"", quotable(line, 60)));
  }
  return columns;
}

class TokenCsvImporter final : public Importer {
 public:
  explicit TokenCsvImporter(Parameters& parameters)
      : experts_(parameters.get_integer(
            "experts", 0, {0, kMostExperts}, "experts per layer; 0 = highest id seen + 1")),
        step_per_token_(parameters.get_flag(
            "step_per_token",
            false,
            "every token is a step of its own (decoding one by one); else all are one step")) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    return first_line(path).starts_with(kHeaderStart);
  }

  [[nodiscard]] RoutingData read(const std::filesystem::path& path,
                                 const Progress& /*progress*/) const override {
    TextReader reader(path);
    std::string_view line;
    if (!reader.next(line)) {
      throw InvalidInput("is empty", {path.string(), ""});
    }
    const Columns columns = read_header(line, reader);
    RowCollector rows;
    const std::int64_t most = experts_ > 0 ? experts_ : kMostExperts;
    while (reader.next(line)) {
      if (!line.empty()) {
        read_row(NumberScanner(line, reader), columns, most, rows);
      }
    }
    if (rows.empty()) {
      throw InvalidInput("holds no tokens", {path.string(), ""});
    }
    TraceMetadata metadata;
    metadata.model.experts = experts_ > 0 ? experts_ : rows.expert_bound();
    metadata.model.top_k = static_cast<std::int64_t>(columns.top_k);
    metadata.provenance = fmt::format("imported from token CSV; experts {}",
                                      experts_ > 0 ? "given" : "deduced from the highest id");
    return RoutingTrace::from_columns(
        std::move(metadata), rows.take(columns.top_k), {path.string(), ""});
  }

 private:
  void read_row(NumberScanner scanner,
                const Columns& columns,
                std::int64_t most_experts,
                RowCollector& rows) const {
    const std::int64_t token = scanner.integer(0, kLargestToken);
    scanner.expect(',');
    const std::int64_t layer = scanner.integer(0, kLargestToken);
    TraceColumns& to = rows.rows(step_per_token_ ? token : 0, layer);
    to.token_ids.push_back(token);
    for (std::size_t i = 0; i < columns.top_k; ++i) {
      scanner.expect(',');
      const auto id = static_cast<std::int32_t>(scanner.integer(kNoExpert, most_experts - 1));
      const auto earlier = to.expert_ids.end() - static_cast<std::ptrdiff_t>(i);
      if (id != kNoExpert && std::find(earlier, to.expert_ids.end(), id) != to.expert_ids.end()) {
        throw InvalidInput(fmt::format("expert {} twice in one token", id), scanner.where());
      }
      to.expert_ids.push_back(id);
    }
    for (std::size_t i = 0; columns.has_weights && i < columns.top_k; ++i) {
      scanner.expect(',');
      to.gate_weights.push_back(scanner.number());
    }
    if (!scanner.at_end()) {
      scanner.fail("more columns than the header names");
    }
  }

  std::int64_t experts_;
  bool step_per_token_;
};

const Register<Importer, TokenCsvImporter> kTokenCsv{
    "token_csv", "CSV token,layer,e0..[,p0..]: ids and weights per token"};

}  // namespace
}  // namespace switchyard
