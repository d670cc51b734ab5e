// What recording costs the host for each record: decoding a buffer of CUPTI (as its own walker
// steps through it), and decoding plus appending to the spool file. Kernels with long names, host
// calls and NVTX ranges, as a serving engine makes them.
#include <filesystem>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "core/error.hpp"
#include "profiler/activities/activity_spool.hpp"
#include "profiler/cupti/activity_decoder.hpp"
#include "profiler/cupti/cupti_library.hpp"
#include "tests/support/activity_buffer.hpp"

namespace {

using switchyard::ActivityDecoder;
using switchyard::ActivityLog;
using switchyard::CuptiLibrary;

constexpr int kLaunches = 4096;
constexpr int kRecordsPerLaunch = 4;  // kernel, host call, range start and end
constexpr std::size_t kKernelNames = 200;
constexpr std::size_t kNameLength = 400;  // as those of CUTLASS kernels

struct Buffers {
  Buffers() {
    for (std::size_t i = 0; i < kKernelNames; ++i) {
      names.push_back("_Z" + std::to_string(i) + std::string(kNameLength, 'k'));
    }
    for (std::uint32_t i = 0; i < kLaunches; ++i) {
      const std::uint64_t time = 1'700'000'000'000'000'000U + i * 1000ULL;
      CUpti_ActivityAPI call{};
      call.kind = CUPTI_ACTIVITY_KIND_RUNTIME;
      call.cbid = CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernel_v7000;
      call.start = time;
      call.end = time + 100;
      call.correlationId = i;
      const char* name = names[i % kKernelNames].c_str();
      buffer
          .add(switchyard::testing::marker_record(
              CUPTI_ACTIVITY_FLAG_MARKER_START, i, time, "layer.mlp.experts"))
          .add(call)
          .add(switchyard::testing::kernel_record(name, time + 200, time + 700))
          .add(switchyard::testing::marker_record(
              CUPTI_ACTIVITY_FLAG_MARKER_END, i, time + 800, nullptr));
    }
  }

  std::vector<std::string> names;
  switchyard::testing::ActivityBuffer buffer;
};

Buffers& buffers() {
  static Buffers made;
  return made;
}

void count(benchmark::State& state) {
  const auto records = static_cast<double>(state.iterations()) * kLaunches * kRecordsPerLaunch;
  state.counters["time_per_record"] =
      benchmark::Counter(records, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void decode(benchmark::State& state) {
  try {
    const CuptiLibrary library;
    ActivityDecoder decoder(library);
    ActivityLog log;
    for (auto step : state) {
      decoder.decode(buffers().buffer.data(), buffers().buffer.bytes(), log);
      benchmark::DoNotOptimize(log.records.data());
      log.records.clear();
    }
    count(state);
  } catch (const switchyard::Error& error) {
    state.SkipWithError(error.what());
  }
}

void decode_and_append(benchmark::State& state) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() /
                                     ("switchyard_bench_" + std::to_string(::getpid()) + ".spool");
  try {
    const CuptiLibrary library;
    ActivityDecoder decoder(library);
    ActivityLog log;
    switchyard::SpoolWriter spool(path);
    for (auto step : state) {
      decoder.decode(buffers().buffer.data(), buffers().buffer.bytes(), log);
      spool.take(log);
      log.records.clear();
      state.PauseTiming();  // the file must not grow without end
      if (std::filesystem::file_size(path) > (std::size_t{1} << 28U)) {
        std::filesystem::resize_file(path, 0);
      }
      state.ResumeTiming();
    }
    count(state);
  } catch (const switchyard::Error& error) {
    state.SkipWithError(error.what());
  }
  std::filesystem::remove(path);
}

BENCHMARK(decode);
BENCHMARK(decode_and_append);

}  // namespace
