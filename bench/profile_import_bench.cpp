// Reading foreign profiles: a Kineto trace (with the largest memory of the process, so run one size
// at a time: --benchmark_filter=Kineto/1024) and an Nsight Systems export.
#include <filesystem>
#include <fstream>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/files/sqlite.hpp"
#include "profiler/timeline_file.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kKernels = 1'000'000;

class BenchFolder {
 public:
  BenchFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("switchyard-bench-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(path_);
  }

  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;
  BenchFolder(BenchFolder&&) = delete;
  BenchFolder& operator=(BenchFolder&&) = delete;

  ~BenchFolder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::filesystem::path file(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// As PyTorch writes them: for each kernel a launch and four operators with shapes.
void write_kineto(const std::filesystem::path& path, std::int64_t bytes) {
  std::ofstream file(path, std::ios::binary);
  file
      << R"({"schemaVersion": 1, "distributedInfo": {"rank": 0, "world_size": 1}, "traceEvents": [)";
  std::int64_t written = 0;
  for (std::int64_t i = 0; written < bytes; ++i) {
    std::string part;
    for (int operation = 0; operation < 4; ++operation) {
      part += fmt::format(
          R"({{"ph": "X", "cat": "cpu_op", "name": "aten::add_{}", "pid": 4037, "tid": 4037, )"
          R"("ts": {}.{:03}, "dur": 12.345, "args": {{"External id": {}, "Ev Idx": {}, )"
          R"("Input Dims": [[2048, 7168], [], []], "Input type": ["c10::BFloat16", "Scalar", ""]}}}}, )",
          operation,
          1682725898000000 + i * 10,
          i % 1000,
          i,
          i);
    }
    part += fmt::format(
        R"({{"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 4037, "tid": 4037, )"
        R"("ts": {0}.125, "dur": 3.5, "args": {{"External id": {1}, "cbid": 211, "correlation": {1}}}}}, )"
        R"({{"ph": "X", "cat": "kernel", "name": "void at::native::elementwise_kernel<{2}>", )"
        R"("pid": 0, "tid": 7, "ts": {0}.250, "dur": 5.125, "args": {{"queued": 0, "device": 0, )"
        R"("context": 1, "stream": 7, "correlation": {1}, "registers per thread": 96, )"
        R"("shared memory": 41744, "blocks per SM": 0.148, "warps per SM": 2.96, "grid": [16, 1, 1], )"
        R"("block": [640, 1, 1], "est. achieved occupancy %": 5}}}})",
        1682725898000000 + i * 10,
        i,
        i % 200);
    written += std::ssize(part) + 2;
    file << (i == 0 ? "" : ", ") << part;
  }
  file << "]}";
}

void import(const char* format, const std::filesystem::path& path, TimelineSink& sink) {
  Parameters defaults = Parameters::describing();
  const auto importer = Registry<TimelineImporter>::instance().create(format, "importer", defaults);
  import_timeline(*importer, path, sink, {});
}

// Arg: MB of JSON, imported into a native file.
void BM_Kineto(benchmark::State& state) {
  const BenchFolder folder;
  write_kineto(folder.file("trace.json"), state.range(0) * 1'000'000);
  for (auto _ : state) {
    TimelineWriter writer(folder.file("out.timeline"), true);
    import("kineto", folder.file("trace.json"), writer);
    writer.commit();
  }
  const auto size =
      static_cast<std::int64_t>(std::filesystem::file_size(folder.file("trace.json")));
  state.SetBytesProcessed(state.iterations() * size);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1000;
}

BENCHMARK(BM_Kineto)->Arg(64)->Arg(1024)->Unit(benchmark::kMillisecond);

void write_nsight(const std::filesystem::path& path) {
  std::ofstream(path).close();
  const SqliteDatabase database(path, SqliteDatabase::Mode::Write, {path.string(), ""});
  database.run(
      "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;"
      "CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);"
      "CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT);"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, deviceId INTEGER, "
      "streamId INTEGER, correlationId INTEGER, globalPid INTEGER, demangledName INTEGER);");
  SqliteStatement name(database, "INSERT INTO StringIds VALUES (?, ?)");
  for (std::int64_t i = 0; i < 200; ++i) {
    name.bind(0, i);
    name.bind(1, fmt::format("void kernel_number_{}<c10::BFloat16, 128>(int, float*)", i));
    name.execute();
  }
  SqliteStatement row(database,
                      "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (?, ?, 0, 7, ?, ?, ?)");
  for (std::int64_t i = 0; i < kKernels; ++i) {
    row.bind(0, i * 1000);
    row.bind(1, i * 1000 + 900);
    row.bind(2, i);
    row.bind(3, INT64_C(145) << 24);
    row.bind(4, i % 200);
    row.execute();
  }
  database.run("COMMIT");
}

// A million kernels into memory.
void BM_NsightKernels(benchmark::State& state) {
  const BenchFolder folder;
  write_nsight(folder.file("export.sqlite"));
  for (auto _ : state) {
    EventTimeline timeline;
    import("nsight_systems", folder.file("export.sqlite"), timeline);
    benchmark::DoNotOptimize(timeline.events.data());
  }
  state.SetItemsProcessed(state.iterations() * kKernels);
}

BENCHMARK(BM_NsightKernels)->Unit(benchmark::kMillisecond);

// The same into a native file, and that file read back and checked.
void BM_NsightToTimeline(benchmark::State& state) {
  const BenchFolder folder;
  write_nsight(folder.file("export.sqlite"));
  for (auto _ : state) {
    TimelineWriter writer(folder.file("out.timeline"), true);
    import("nsight_systems", folder.file("export.sqlite"), writer);
    writer.commit();
  }
  state.SetItemsProcessed(state.iterations() * kKernels);
}

BENCHMARK(BM_NsightToTimeline)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace switchyard
