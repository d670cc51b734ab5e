// Writes a native trace of a given size, for measuring memory and speed beyond what fits in memory:
//   large_trace OUT.safetensors GIGABYTES
// 64 source ranks, 58 layers, 256 experts, top-8, hidden 7168 (DeepSeek-V3's shape), 4096 tokens a
// rank and step; ids are uniform, which costs a replay as much as any other ids.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>

#include <fmt/format.h>

#include "core/numbers/random.hpp"
#include "traces/files/trace_writer.hpp"

namespace {

constexpr std::int64_t kRanks = 64;
constexpr std::int64_t kLayers = 58;
constexpr std::int64_t kTokens = 4096;
constexpr std::int64_t kTopK = 8;
constexpr std::uint64_t kExperts = 256;
constexpr double kBytesPerRow = kTopK * 2;  // 256 experts need u16: 255 stands for "none" in u8

switchyard::TraceColumns chunk_of(std::int64_t step, std::int64_t layer, std::int64_t rank) {
  switchyard::RandomStream random(1,
                                  {static_cast<std::uint64_t>(step),
                                   static_cast<std::uint64_t>(layer),
                                   static_cast<std::uint64_t>(rank)});
  switchyard::TraceColumns columns;
  columns.chunks = {
      {.step = step, .layer = layer, .source_rank = rank, .first_row = 0, .row_count = kTokens}};
  for (std::int64_t row = 0; row < kTokens; ++row) {
    const std::uint64_t bits = random.bits();
    const std::uint64_t stride = (bits >> 32U) | 1U;  // odd: eight distinct ids modulo 256
    for (std::uint64_t choice = 0; choice < kTopK; ++choice) {
      columns.expert_ids.push_back(static_cast<std::int32_t>((bits + choice * stride) % kExperts));
    }
  }
  return columns;
}

void write(const char* path, double gigabytes) {
  const double rows_per_step = kRanks * kLayers * kTokens;
  const auto steps = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(gigabytes * 1e9 / (rows_per_step * kBytesPerRow)));
  switchyard::TraceLayout layout;
  layout.metadata.model = {.hidden = 7168,
                           .experts = static_cast<std::int64_t>(kExperts),
                           .top_k = kTopK,
                           .layers = kLayers,
                           .dtype = "bf16"};
  layout.metadata.provenance = "uniform random ids, written by bench/large_trace";
  layout.chunks = static_cast<std::size_t>(steps * kLayers * kRanks);
  layout.rows = layout.chunks * static_cast<std::size_t>(kTokens);
  switchyard::TraceWriter writer(path, false, layout);
  for (std::int64_t step = 0; step < steps; ++step) {
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      for (std::int64_t rank = 0; rank < kRanks; ++rank) {
        writer.append(chunk_of(step, layer, rank));
      }
    }
  }
  writer.commit();
  fmt::print("{} steps of {} rows\n", steps, rows_per_step);
}

}  // namespace

int main(int argument_count, char** arguments) {
  const std::span words(arguments, static_cast<std::size_t>(argument_count));
  const double gigabytes = words.size() == 3 ? std::atof(words[2]) : 0;
  if (!(gigabytes > 0)) {
    fmt::print(stderr, "usage: large_trace OUT.safetensors GIGABYTES\n");
    return 2;
  }
  try {
    write(words[1], gigabytes);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 2;
  }
  return 0;
}
