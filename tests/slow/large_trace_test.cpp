// A trace larger than the memory it may use: written in pieces, streamed chunk by chunk.
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/temporary_folder.hpp"
#include "traces/expert_load.hpp"
#include "traces/files/trace_writer.hpp"

namespace switchyard {
namespace {

using testing::TemporaryFolder;

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Ids (u16), weights and sequence ids: 56 bytes a row.
void write_large_trace(const std::filesystem::path& path, std::size_t chunks, std::size_t rows) {
  constexpr std::size_t kTopK = 8;
  TraceMetadata metadata;
  metadata.model = {.hidden = 0, .experts = 256, .top_k = kTopK, .layers = 0, .dtype = {}};
  TraceWriter writer(path,
                     false,
                     {.metadata = metadata,
                      .rows = chunks * rows,
                      .chunks = chunks,
                      .has_gate_weights = true,
                      .has_sequence_ids = true});
  TraceColumns part;
  for (std::size_t i = 0; i < rows * kTopK; ++i) {
    part.expert_ids.push_back(static_cast<std::int32_t>(i % 256));
  }
  part.gate_weights.assign(rows * kTopK, 0.125F);
  part.sequence_ids.assign(rows, 3);
  for (std::size_t i = 0; i < chunks; ++i) {
    part.chunks = {{0, static_cast<std::int64_t>(i), -1, 0, static_cast<std::int64_t>(rows)}};
    writer.append(part);
  }
  writer.commit();
}

// Chunks of a few pages and of less than one: neighbours share pages, which must go as well.
class LargeTrace : public ::testing::TestWithParam<std::size_t> {};

TEST_P(LargeTrace, IsStreamedInLittleMemory) {
  constexpr std::size_t kRows = std::size_t{1} << 23U;  // 56 bytes each
  constexpr std::size_t kAllowed = std::size_t{64} << 20U;
  const TemporaryFolder folder;
  const auto path = folder.path() / "large.safetensors";
  const std::size_t before = resident_bytes();
  write_large_trace(path, kRows / GetParam(), GetParam());
  EXPECT_LT(resident_bytes(), before + kAllowed);
  ASSERT_GT(std::filesystem::file_size(path), 6 * kAllowed);

  const RoutingTrace trace = RoutingTrace::open(path);
  std::size_t peak = 0;
  double total = 0;
  for (const Chunk& chunk : trace.chunks()) {
    const auto sequences = trace.sequence_ids(chunk);
    for (const std::int64_t sequence : *sequences) {
      total += static_cast<double>(sequence);
    }
    const FloatRows weights = *trace.gate_weights(chunk);
    for (std::size_t row = 0; row < weights.rows(); ++row) {
      total += double{weights.at(row, 0)};
    }
    total += trace.expert_ids(chunk).at(0, 0);
    trace.release(chunk);
    peak = std::max(peak, chunk.layer % 64 == 0 ? resident_bytes() : 0);
  }
  EXPECT_EQ(total, 3.125 * kRows);
  EXPECT_LT(peak, before + 2 * kAllowed);  // the chunk list itself may take some tens of MB
}

INSTANTIATE_TEST_SUITE_P(ChunkSizes, LargeTrace, ::testing::Values(65536, 4096, 64));

}  // namespace
}  // namespace switchyard
