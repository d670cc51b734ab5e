// Megatron-Core's router trace: router_trace_rank<r>.jsonl, one record per (step, block, layer),
// and, if recorded, bf16 logits in logits_rank<r>.bin. A folder of all ranks, or one file.
//
// Two things in it have no place in a trace of their own. Micro-batches repeat (step, layer) within
// a training step: each repetition becomes a step, in order. MTP blocks count their layers from
// zero: they become layers after the last one of the decoder.
#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/files/mapped_file.hpp"
#include "core/files/text_reader.hpp"
#include "traces/files/half_precision.hpp"
#include "traces/importer.hpp"
#include "traces/megatron_record.hpp"
#include "traces/reading/first_line.hpp"
#include "traces/reading/numbered_files.hpp"
#include "traces/reading/repeated_choice.hpp"
#include "traces/reading/row_collector.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::string_view kMegatronPrefix = "router_trace_rank";
constexpr std::string_view kMegatronSuffix = ".jsonl";
constexpr std::int64_t kDecoder = -1;  // in place of an mtp_idx

struct LayerKey {
  std::int64_t mtp = kDecoder;
  std::int64_t layer = 0;

  auto operator<=>(const LayerKey&) const = default;
};

struct ChunkKey {
  std::int64_t step = 0;
  std::int64_t repetition = 0;  // micro-batch within the step
  LayerKey layer;
  std::int64_t rank = 0;

  auto operator<=>(const ChunkKey&) const = default;
};

// Everything read so far, before steps and layers get their final numbers.
struct Gathered {
  std::map<ChunkKey, TraceColumns> chunks;
  std::size_t top_k = 0;
  std::size_t experts = 0;  // of the logits
  std::size_t with_logits = 0;
};

void check_record(const MegatronRecord& record, std::size_t top_k, const Location& where) {
  if (std::cmp_not_equal(record.at("num_tokens", where), record.rows)) {
    throw InvalidInput(fmt::format("{} rows of top_indices for num_tokens {}",
                                   record.rows,
                                   record.at("num_tokens", where)),
                       where);
  }
  if ((record.rows > 0 && std::cmp_not_equal(record.at("topk", where), record.row_width)) ||
      std::cmp_not_equal(record.at("topk", where), top_k)) {
    throw InvalidInput(fmt::format("{} ids a token for topk {}; earlier records have {}",
                                   record.row_width,
                                   record.at("topk", where),
                                   top_k),
                       where);
  }
  if (const auto repeat = first_repeated_choice(record.ids, top_k)) {
    throw InvalidInput(
        fmt::format(
            "expert {} twice in token {} of the record", record.ids[*repeat], *repeat / top_k),
        where);
  }
}

std::vector<float> read_logits(const MegatronRecord& record,
                               const MappedFile& sidecar,
                               const Location& where) {
  const auto offset = static_cast<std::uint64_t>(record.at("logit_offset", where));
  const auto length = static_cast<std::uint64_t>(record.at("logit_bytes", where));
  const std::span<const std::byte> bytes = sidecar.bytes();
  if (offset > bytes.size() || length > bytes.size() - offset) {
    throw InvalidInput(fmt::format("its logits, {} bytes from {} on, lie outside the {} bytes of "
                                   "the sidecar file",
                                   length,
                                   offset,
                                   bytes.size()),
                       where,
                       "was logits_rank<r>.bin cut short? --set logits=false reads without it");
  }
  const auto& shape = record.logit_shape;
  if (shape.size() != 2 || std::cmp_not_equal(shape[0], record.rows) || shape[1] < 1 ||
      shape[1] > kMostExperts ||
      record.rows * static_cast<std::size_t>(shape[1]) * sizeof(std::uint16_t) != length) {
    throw InvalidInput("logit_shape is not [num_tokens, experts] of logit_bytes", where);
  }
  std::vector<float> logits(length / sizeof(std::uint16_t));
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + offset + i * sizeof(bits), sizeof(bits));
    logits[i] = float_from_bf16(bits);
  }
  return logits;
}

// Steps stay as recorded unless one of them has several micro-batches.
std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> number_steps(const Gathered& all) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> numbers;
  bool has_repetitions = false;
  for (const auto& [key, columns] : all.chunks) {
    numbers.emplace(std::pair(key.step, key.repetition), key.step);
    has_repetitions = has_repetitions || key.repetition > 0;
  }
  std::int64_t next = 0;
  for (auto& [key, number] : numbers) {
    number = has_repetitions ? next++ : number;
  }
  return numbers;
}

std::map<LayerKey, std::int64_t> number_layers(const Gathered& all) {
  std::map<LayerKey, std::int64_t> numbers;  // the decoder's come first
  for (const auto& [key, columns] : all.chunks) {
    numbers.emplace(key.layer, key.layer.layer);
  }
  std::int64_t next = 0;
  for (auto& [key, number] : numbers) {
    number = key.mtp == kDecoder ? key.layer : next;
    next = number + 1;
  }
  return numbers;
}

class MegatronImporter final : public Importer {
 public:
  explicit MegatronImporter(Parameters& parameters)
      : experts_(parameters.get_integer("experts",
                                        0,
                                        {0, kMostExperts},
                                        "experts per layer; 0 = width of the logits, or highest "
                                        "id seen + 1")),
        reads_logits_(parameters.get_flag("logits", true, "read logits_rank<r>.bin")) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    std::error_code problem;
    if (std::filesystem::is_directory(path, problem)) {
      try {
        return !numbered_files(path, kMegatronPrefix, kMegatronSuffix).empty();
      } catch (const Error&) {
        return true;
      }
    }
    const std::string line = first_line(path);
    return line.starts_with('{') && line.find("\"top_indices\"") != std::string::npos;
  }

  [[nodiscard]] RoutingData read(const std::filesystem::path& path,
                                 const Progress& progress) const override {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(path)) {
      for (const auto& [rank, file] : numbered_files(path, kMegatronPrefix, kMegatronSuffix)) {
        files.push_back(file);
      }
    } else {
      files.push_back(path);
    }
    Gathered all;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (progress) {
        progress("reading ranks", static_cast<double>(i) / static_cast<double>(files.size()));
      }
      read_file(files[i], all);
    }
    if (files.empty()) {
      throw InvalidInput("holds no router_trace_rank<r>.jsonl", {path.string(), ""});
    }
    return build(all, {path.string(), ""});
  }

 private:
  void read_file(const std::filesystem::path& path, Gathered& all) const {
    TextReader reader(path);
    std::optional<MappedFile> sidecar;
    std::map<ChunkKey, std::int64_t> repetitions;
    std::string_view line;
    while (reader.next(line)) {
      if (line.empty()) {
        continue;
      }
      throw_if_interrupted();
      MegatronRecord record = parse_megatron_record(line, reader);
      const Location where = reader.where();
      if (all.top_k == 0) {
        all.top_k = static_cast<std::size_t>(std::max<std::int64_t>(1, record.at("topk", where)));
      }
      check_record(record, all.top_k, where);
      ChunkKey key = key_of(record, where);
      key.repetition = repetitions[key]++;
      TraceColumns columns;
      if (reads_logits_ && record.has("logit_offset")) {
        if (!sidecar) {
          sidecar.emplace(path.parent_path() / fmt::format("logits_rank{}.bin", key.rank));
        }
        columns.logits = read_logits(record, *sidecar, where);
        take_logits(record, all, where);
      }
      columns.expert_ids = std::move(record.ids);
      if (!all.chunks.emplace(key, std::move(columns)).second) {
        throw InvalidInput("this record is also in another file", where);
      }
    }
    if (repetitions.empty()) {
      throw InvalidInput("holds no router records", {path.string(), ""});
    }
  }

  static ChunkKey key_of(const MegatronRecord& record, const Location& where) {
    ChunkKey key;
    key.step = record.at("step", where);
    key.layer.layer = record.at("layer", where);
    key.rank = record.at("rank", where);
    if (record.block != "decoder") {
      key.layer.mtp = record.at("mtp_idx", where);
    }
    return key;
  }

  static void take_logits(const MegatronRecord& record, Gathered& all, const Location& where) {
    const auto experts = static_cast<std::size_t>(record.logit_shape.at(1));
    if (all.experts != 0 && all.experts != experts) {
      throw InvalidInput(
          fmt::format("logits of {} experts; earlier records have {}", experts, all.experts),
          where);
    }
    all.experts = experts;
    ++all.with_logits;
  }

  [[nodiscard]] RoutingTrace build(Gathered& all, const Location& where) const {
    if (all.with_logits != 0 && all.with_logits != all.chunks.size()) {
      throw InvalidInput(
          fmt::format("only {} of {} records have logits", all.with_logits, all.chunks.size()),
          where,
          "--set logits=false reads without them");
    }
    const auto steps = number_steps(all);
    const auto layers = number_layers(all);
    RowCollector rows;
    for (auto& [key, columns] : all.chunks) {
      rows.rows(steps.at({key.step, key.repetition}), layers.at(key.layer), key.rank) =
          std::move(columns);
    }
    TraceMetadata metadata;
    const auto seen = rows.expert_bound();
    metadata.model.experts =
        experts_ > 0 ? experts_ : std::max(seen, static_cast<std::int64_t>(all.experts));
    if (seen > metadata.model.experts) {
      throw InvalidInput(
          fmt::format("expert id {} is outside 0 to {}", seen - 1, metadata.model.experts - 1),
          where);
    }
    metadata.model.top_k = static_cast<std::int64_t>(all.top_k);
    metadata.model.layers = static_cast<std::int64_t>(layers.size());
    metadata.provenance = "imported from a Megatron-Core router trace";
    return RoutingTrace::from_columns(std::move(metadata), rows.take(all.top_k), where);
  }

  std::int64_t experts_;
  bool reads_logits_;
};

const Register<Importer, MegatronImporter> kMegatron{
    "megatron", "router_trace_rank<r>.jsonl (and logits_rank<r>.bin): ids, ranks and logits"};

}  // namespace
}  // namespace switchyard
