// Reading a trace that the page cache holds, writing one, importing one, checking one.
// `--benchmark_filter=Esft` needs the real data (see tests/support/real_data.hpp) and says so.
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "traces/files/trace_file.hpp"
#include "traces/files/trace_writer.hpp"
#include "traces/importer.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kTopK = 8;
constexpr std::size_t kExperts = 256;
constexpr std::size_t kRowsPerChunk = 4096;

// A trace file of ids (u16) and weights (f32), removed at the end.
class TraceFile {
 public:
  explicit TraceFile(std::size_t chunks)
      : path_(std::filesystem::temp_directory_path() /
              ("switchyard-bench-" + std::to_string(::getpid()) + ".safetensors")) {
    TraceMetadata metadata;
    metadata.model = {.experts = kExperts, .top_k = kTopK};
    TraceWriter writer(path_,
                       true,
                       {.metadata = metadata,
                        .rows = chunks * kRowsPerChunk,
                        .chunks = chunks,
                        .has_gate_weights = true});
    TraceColumns part;
    part.gate_weights.assign(kRowsPerChunk * kTopK, 0.125F);
    for (std::size_t i = 0; i < kRowsPerChunk * kTopK; ++i) {
      part.expert_ids.push_back(static_cast<std::int32_t>(i * 2654435761U % kExperts));
    }
    for (std::size_t i = 0; i < chunks; ++i) {
      part.chunks = {{0, static_cast<std::int64_t>(i), -1, 0, kRowsPerChunk}};
      writer.append(part);
    }
    writer.commit();
  }

  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  TraceFile(TraceFile&&) = delete;
  TraceFile& operator=(TraceFile&&) = delete;

  ~TraceFile() { std::filesystem::remove(path_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

constexpr std::size_t kChunks = 1024;  // 4 Mi rows: 64 MiB of ids, 128 MiB of weights

void read_trace(benchmark::State& state) {
  const TraceFile file(kChunks);
  std::int64_t bytes = 0;
  for (auto _ : state) {
    const RoutingTrace trace = RoutingTrace::open(file.path());
    std::uint64_t total = 0;
    float weight = 0;
    for (const Chunk& chunk : trace.chunks()) {
      trace.expert_ids(chunk).visit([&total, &bytes]<class T>(std::span<const T> ids) {
        total = std::accumulate(ids.begin(), ids.end(), total);
        bytes += static_cast<std::int64_t>(ids.size_bytes());
      });
      weight += trace.gate_weights(chunk)->at(0, 0);
    }
    benchmark::DoNotOptimize(total);
    benchmark::DoNotOptimize(weight);
  }
  state.SetBytesProcessed(bytes);
}

BENCHMARK(read_trace)->Name("ReadTrace")->Unit(benchmark::kMillisecond);

void count_trace(benchmark::State& state) {
  const TraceFile file(kChunks);
  const RoutingTrace trace = RoutingTrace::open(file.path());
  for (auto _ : state) {
    benchmark::DoNotOptimize(count_selections(trace, false));
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>(trace.row_count() * kTopK));
}

BENCHMARK(count_trace)->Name("CountSelections")->Unit(benchmark::kMillisecond);

void check_trace(benchmark::State& state) {
  const TraceFile file(kChunks / 8);
  const RoutingTrace trace = RoutingTrace::open(file.path());
  for (auto _ : state) {
    trace.check_rows();
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>(trace.row_count() * kTopK));
}

BENCHMARK(check_trace)->Name("CheckRows")->Unit(benchmark::kMillisecond);

void import_esft(benchmark::State& state) {
  const char* data = std::getenv("SWITCHYARD_DATA");
  const std::filesystem::path folder =
      std::filesystem::path(data != nullptr ? data : "../shared/data") /
      "routing/esft_deepseek-v2-lite/law";
  if (!std::filesystem::is_directory(folder)) {
    state.SkipWithError("no real data: set SWITCHYARD_DATA");
    return;
  }
  Parameters defaults = Parameters::describing();
  const auto importer = Registry<Importer>::instance().create("esft", "importer", defaults);
  for (auto _ : state) {
    benchmark::DoNotOptimize(importer->read(folder, {}));
  }
}

BENCHMARK(import_esft)->Name("ImportEsft26LayersGzip")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace switchyard
