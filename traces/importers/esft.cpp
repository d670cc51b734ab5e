// DeepSeek ESFT's routing dumps: a folder of expert_weights_<layer>.txt[.gz], one line a sequence:
// the ids of all its tokens, an empty field, their gate weights, all tab separated. The files do
// not say how many ids belong to one token: that is deduced, and checked on every token.
#include <algorithm>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "traces/importer.hpp"
#include "traces/reading/number_scanner.hpp"
#include "traces/reading/numbered_files.hpp"
#include "traces/reading/repeated_choice.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::string_view kEsftPrefix = "expert_weights_";
constexpr std::string_view kEsftSuffix = ".txt";

// All sequences of one layer, one after the other.
struct LayerDump {
  std::int64_t layer = 0;
  std::filesystem::path path;
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
  std::vector<std::size_t> ends;          // of each sequence, in ids
  std::vector<std::size_t> line_numbers;  // of each sequence
};

void read_line(std::string_view line, const TextReader& reader, LayerDump& dump) {
  NumberScanner scanner(line, reader);
  const std::size_t begin = dump.ids.size();
  do {
    dump.ids.push_back(static_cast<std::int32_t>(scanner.integer(0, kMostExperts - 1)));
    scanner.expect('\t');
  } while (!scanner.skip('\t'));
  while (true) {
    dump.weights.push_back(scanner.number());
    if (dump.weights.back() < 0) {
      throw InvalidInput("a gate weight below zero", reader.where());
    }
    if (scanner.at_end()) {
      break;
    }
    scanner.expect('\t');
    if (scanner.at_end()) {
      break;
    }
  }
  if (dump.weights.size() != dump.ids.size()) {
    throw InvalidInput(
        fmt::format(
            "{} expert ids but {} weights", dump.ids.size() - begin, dump.weights.size() - begin),
        reader.where(),
        "the line was cut, or is not in this format");
  }
  dump.ends.push_back(dump.ids.size());
  dump.line_numbers.push_back(reader.line_number());
}

LayerDump read_layer(std::int64_t layer, const std::filesystem::path& path) {
  LayerDump dump;
  dump.layer = layer;
  dump.path = path;
  TextReader reader(path);
  std::string_view line;
  while (reader.next(line)) {
    if (!line.empty()) {
      read_line(line, reader, dump);
    }
  }
  if (dump.ids.empty()) {
    throw InvalidInput("holds no sequences", {path.string(), ""});
  }
  return dump;
}

// Largest sum of the weights of one token.
double largest_sum(const std::vector<LayerDump>& dumps, std::size_t top_k) {
  double largest = 0;
  for (const LayerDump& dump : dumps) {
    for (std::size_t i = 0; i < dump.weights.size(); i += top_k) {
      const auto first = dump.weights.begin() + static_cast<std::ptrdiff_t>(i);
      largest = std::max(largest,
                         std::accumulate(first, first + static_cast<std::ptrdiff_t>(top_k), 0.0));
    }
  }
  return largest;
}

// Tokens of a router have distinct experts, so too large a guess repeats an id somewhere: the
// answer is the largest divisor that never does. With so few tokens that not even all of a line
// repeats one, the weights decide: those of a softmax add up to at most one.
std::size_t deduce_top_k(const std::vector<LayerDump>& dumps) {
  std::size_t common = 0;
  for (const LayerDump& dump : dumps) {
    std::size_t begin = 0;
    for (const std::size_t end : dump.ends) {
      common = std::gcd(common, end - begin);
      begin = end;
    }
  }
  std::vector<std::size_t> fitting;  // descending
  for (std::size_t top_k = common; top_k > 0; --top_k) {
    if (common % top_k == 0 && std::none_of(dumps.begin(), dumps.end(), [&](const LayerDump& dump) {
          return first_repeated_choice(dump.ids, top_k).has_value();
        })) {
      fitting.push_back(top_k);
    }
  }
  if (fitting.front() == common) {
    constexpr double kRoundingRoom = 1.02;
    for (const std::size_t top_k : fitting) {
      if (largest_sum(dumps, top_k) <= kRoundingRoom) {
        return top_k;
      }
    }
  }
  return fitting.front();
}

void check_top_k(const LayerDump& dump, std::size_t top_k) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < dump.ends.size(); ++i) {
    if ((dump.ends[i] - begin) % top_k != 0) {
      throw InvalidInput(
          fmt::format("{} ids are not a multiple of top_k = {}", dump.ends[i] - begin, top_k),
          Location{dump.path.string(), ""}.at_line(dump.line_numbers[i]));
    }
    begin = dump.ends[i];
  }
  if (const auto repeat = first_repeated_choice(dump.ids, top_k)) {
    const auto line = std::upper_bound(dump.ends.begin(), dump.ends.end(), *repeat);
    throw InvalidInput(
        fmt::format("expert {} twice in one token of {} choices", dump.ids[*repeat], top_k),
        Location{dump.path.string(), ""}.at_line(
            dump.line_numbers[static_cast<std::size_t>(line - dump.ends.begin())]));
  }
}

class EsftImporter final : public Importer {
 public:
  explicit EsftImporter(Parameters& parameters)
      : top_k_(parameters.get_integer(
            "top_k", 0, {0, 1024}, "experts per token; 0 = deduce from the ids")),
        experts_(parameters.get_integer(
            "experts", 0, {0, kMostExperts}, "experts per layer; 0 = highest id seen + 1")) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    try {
      return !files_of(path).empty();
    } catch (const Error&) {
      return true;  // two files for one layer: read() says so
    }
  }

  [[nodiscard]] RoutingData read(const std::filesystem::path& path,
                                 const Progress& progress) const override {
    const auto files = files_of(path);
    if (files.empty()) {
      throw InvalidInput("holds no expert_weights_<layer>.txt[.gz]", {path.string(), ""});
    }
    std::vector<LayerDump> dumps;
    for (const auto& [layer, file] : files) {
      if (progress) {
        progress("reading layers",
                 static_cast<double>(dumps.size()) / static_cast<double>(files.size()));
      }
      throw_if_interrupted();
      dumps.push_back(read_layer(layer, file));
    }
    const std::size_t top_k = top_k_ > 0 ? static_cast<std::size_t>(top_k_) : deduce_top_k(dumps);
    for (const LayerDump& dump : dumps) {
      check_top_k(dump, top_k);
    }
    return build(dumps, top_k, {path.string(), ""});
  }

 private:
  static std::map<std::int64_t, std::filesystem::path> files_of(const std::filesystem::path& path) {
    std::string name = path.filename().string();
    if (name.ends_with(".gz")) {
      name.resize(name.size() - 3);
    }
    const auto layer = number_in_name(name, kEsftPrefix, kEsftSuffix);
    if (layer && !std::filesystem::is_directory(path)) {
      return {{*layer, path}};
    }
    return numbered_files(path, kEsftPrefix, kEsftSuffix);
  }

  [[nodiscard]] RoutingTrace build(const std::vector<LayerDump>& dumps,
                                   std::size_t top_k,
                                   const Location& where) const {
    TraceColumns columns;
    std::int32_t highest = 0;
    for (const LayerDump& dump : dumps) {
      const auto first = static_cast<std::int64_t>(columns.expert_ids.size() / top_k);
      const auto rows = static_cast<std::int64_t>(dump.ids.size() / top_k);
      columns.chunks.push_back({0, dump.layer, -1, first, rows});
      columns.expert_ids.insert(columns.expert_ids.end(), dump.ids.begin(), dump.ids.end());
      columns.gate_weights.insert(
          columns.gate_weights.end(), dump.weights.begin(), dump.weights.end());
      for (std::size_t sequence = 0; sequence < dump.ends.size(); ++sequence) {
        columns.sequence_ids.resize(static_cast<std::size_t>(first) + dump.ends[sequence] / top_k,
                                    static_cast<std::int64_t>(sequence));
      }
      highest = std::max(highest, *std::max_element(dump.ids.begin(), dump.ids.end()));
    }
    TraceMetadata metadata;
    metadata.model.experts = experts_ > 0 ? experts_ : highest + 1;
    metadata.model.top_k = static_cast<std::int64_t>(top_k);
    metadata.model.layers = static_cast<std::int64_t>(dumps.size());
    metadata.provenance = fmt::format("imported from ESFT text; top_k {} {}, experts {}",
                                      top_k,
                                      top_k_ > 0 ? "given" : "deduced",
                                      experts_ > 0 ? "given" : "deduced from the highest id");
    if (highest >= metadata.model.experts) {
      throw InvalidInput(
          fmt::format("expert id {} is outside 0 to {}", highest, metadata.model.experts - 1),
          where);
    }
    return RoutingTrace::from_columns(std::move(metadata), std::move(columns), where);
  }

  std::int64_t top_k_;
  std::int64_t experts_;
};

const Register<Importer, EsftImporter> kEsft{
    "esft", "folder of expert_weights_<layer>.txt[.gz]: ids and gate weights per token"};

}  // namespace
}  // namespace switchyard
