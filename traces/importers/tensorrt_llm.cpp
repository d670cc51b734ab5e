// TensorRT-LLM's expert statistics (EXPERT_STATISTIC_PATH): a folder with meta_info.json and, for
// every rank, rank<r>.safetensors with one tensor "<iteration>_<layer>" of counts per expert.
#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "traces/files/safetensors.hpp"
#include "traces/importer.hpp"
#include "traces/reading/numbered_files.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::string_view kTensorRtPrefix = "rank";
constexpr std::string_view kTensorRtSuffix = ".safetensors";

struct MetaInfo {
  std::int64_t experts = 0;
  std::int64_t top_k = 0;
};

std::int64_t positive(const json& document, const char* key, const Location& where) {
  const auto found = document.is_object() ? document.find(key) : document.end();
  if (found == document.end() || !found->is_number_integer() || found->get<std::int64_t>() < 1 ||
      found->get<std::int64_t>() > kMostExperts) {
    throw InvalidInput(fmt::format("wanted a whole number under \"{}\"", key), where);
  }
  return found->get<std::int64_t>();
}

MetaInfo read_meta_info(const std::filesystem::path& path) {
  const json document = read_json_file(path);
  const Location where{path.string(), ""};
  return {positive(document, "num_experts", where),
          positive(document, "num_experts_per_token", where)};
}

struct IterationAndLayer {
  std::int64_t iteration = 0;
  std::int64_t layer = 0;
};

// "120_3" -> iteration 120, layer 3; nothing for other tensors, such as "120_3_raw".
std::optional<IterationAndLayer> parse_key(const std::string& name) {
  IterationAndLayer key;
  const char* end = name.data() + name.size();
  const auto first = std::from_chars(name.data(), end, key.iteration);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '_') {
    return std::nullopt;
  }
  const auto second = std::from_chars(first.ptr + 1, end, key.layer);
  if (second.ec != std::errc() || second.ptr != end || key.iteration < 0 || key.layer < 0) {
    return std::nullopt;
  }
  return key;
}

std::vector<std::int64_t> read_counts(const Tensor& tensor,
                                      const MetaInfo& meta,
                                      const Location& where) {
  if (tensor.shape.size() != 1 || std::cmp_not_equal(tensor.shape[0], meta.experts) ||
      (tensor.type != TensorType::I64 && tensor.type != TensorType::I32)) {
    throw InvalidInput(
        fmt::format("{} should be I64 or I32 [{}]", tensor.shape_text(), meta.experts), where);
  }
  if (tensor.type == TensorType::I32) {
    const auto counts = tensor.values<std::int32_t>();
    return {counts.begin(), counts.end()};
  }
  const auto counts = tensor.values<std::int64_t>();
  return {counts.begin(), counts.end()};
}

class TensorRtLlmImporter final : public Importer {
 public:
  explicit TensorRtLlmImporter(Parameters& /*parameters*/) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    std::error_code problem;
    return std::filesystem::is_regular_file(path / "meta_info.json", problem);
  }

  [[nodiscard]] RoutingData read(const std::filesystem::path& path,
                                 const Progress& progress) const override {
    const MetaInfo meta = read_meta_info(path / "meta_info.json");
    const auto files = numbered_files(path, kTensorRtPrefix, kTensorRtSuffix);
    std::map<LoadRow, std::vector<std::int64_t>> rows;
    std::int64_t expected_rank = 0;
    for (const auto& [rank, file] : files) {
      if (rank != expected_rank) {
        throw InvalidInput(fmt::format("rank{}.safetensors is missing", expected_rank),
                           {path.string(), ""},
                           "copy the files of all ranks into one folder");
      }
      ++expected_rank;
      if (progress) {
        progress("reading ranks", static_cast<double>(rank) / static_cast<double>(files.size()));
      }
      throw_if_interrupted();
      read_rank(rank, SafetensorsFile(file), meta, rows);
    }
    if (rows.empty()) {
      throw InvalidInput("holds no counts \"<iteration>_<layer>\" in rank<r>.safetensors",
                         {path.string(), ""});
    }
    return build(rows, meta, {path.string(), ""});
  }

 private:
  static void read_rank(std::int64_t rank,
                        const SafetensorsFile& file,
                        const MetaInfo& meta,
                        std::map<LoadRow, std::vector<std::int64_t>>& rows) {
    for (const auto& [name, tensor] : file.tensors()) {
      if (const auto key = parse_key(name)) {
        rows[{key->iteration, key->layer, rank}] = read_counts(tensor, meta, file.where(name));
      }
    }
  }

  static ExpertLoad build(const std::map<LoadRow, std::vector<std::int64_t>>& rows,
                          const MetaInfo& meta,
                          const Location& where) {
    ExpertLoad load;
    load.where = where;
    load.metadata.model.experts = meta.experts;
    load.metadata.model.top_k = meta.top_k;
    load.metadata.provenance = "imported from TensorRT-LLM expert statistics";
    load.counts = Matrix<std::int64_t>(rows.size(), static_cast<std::size_t>(meta.experts));
    for (const auto& [row, counts] : rows) {
      std::copy(counts.begin(), counts.end(), load.counts.row(load.rows.size()).begin());
      load.rows.push_back(row);
    }
    check_load(load);
    check_divides(load);
    return load;
  }
};

const Register<Importer, TensorRtLlmImporter> kTensorRtLlm{
    "tensorrt_llm", "folder of meta_info.json and rank<r>.safetensors: counts per source rank"};

}  // namespace
}  // namespace switchyard
