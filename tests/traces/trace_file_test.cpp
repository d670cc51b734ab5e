// Native files that are damaged, foreign or impossible, and outputs that fail half-way.
#include "traces/files/trace_file.hpp"

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/small_traces.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/files/safetensors.hpp"
#include "traces/files/trace_writer.hpp"

namespace switchyard {
namespace {

using testing::contents;
using testing::expect_error;
using testing::random_trace;
using testing::RandomTraceShape;
using testing::small_metadata;
using testing::small_trace;
using testing::TemporaryFolder;

// A native trace of two rows, top-1 of 4 experts, of which a test changes one thing.
struct NativeFile {
  std::vector<std::int64_t> chunks{0, 0, -1, 0, 2};
  std::vector<std::uint8_t> ids{1, 3};
  std::vector<TensorContent> more;
  TensorType id_type = TensorType::U8;
  std::vector<std::size_t> id_shape{2, 1};
  std::map<std::string, std::string> metadata{{"format_version", "1"}, {"experts", "4"}};
  bool has_chunks = true;

  void write(const std::filesystem::path& path) const {
    std::vector<TensorContent> tensors = more;
    tensors.push_back({{"expert_ids", id_type, id_shape}, std::as_bytes(std::span(ids))});
    if (has_chunks) {
      tensors.push_back(
          {{"chunks", TensorType::I64, {chunks.size() / 5, 5}}, std::as_bytes(std::span(chunks))});
    }
    write_safetensors(path, true, tensors, metadata);
  }
};

void expect_refused(const NativeFile& file, const std::string& words) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  file.write(path);
  expect_error<InvalidInput>([&path] { (void)open_routing(path); }, words);
}

TEST(NativeTrace, MayBeWrittenByOthers) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  NativeFile file;
  const std::vector<std::uint8_t> extra{1, 2, 3};
  file.more.push_back({{"notes", TensorType::U8, {3}}, std::as_bytes(std::span(extra))});
  file.metadata["somebody"] = "else";
  file.write(path);
  const RoutingTrace trace = RoutingTrace::open(path);
  EXPECT_EQ(trace.expert_ids(trace.chunks()[0]).at(1, 0), 3);
  trace.release(trace.chunks()[0]);
  trace.check_rows();
}

TEST(NativeTrace, SaysWhatIsMissing) {
  NativeFile file;
  file.has_chunks = false;
  expect_refused(file, "holds no tensor \"chunks\"");
  file = {};
  file.metadata.erase("format_version");
  expect_refused(file, "no \"format_version\"");
  file = {};
  file.metadata["format_version"] = "2";
  expect_refused(file, "format version 2; this program reads up to 1");
  file = {};
  file.metadata.erase("experts");
  expect_refused(file, "how many experts");
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  write_safetensors(path, false, {}, {{"format_version", "1"}});
  expect_error<InvalidInput>([&path] { (void)open_routing(path); }, "neither `expert_ids` nor");
}

TEST(NativeTrace, RefusesTypesAndShapesThatCannotBe) {
  NativeFile file;
  file.id_type = TensorType::I8;
  expect_refused(file, "tensor \"expert_ids\": has type I8; allowed: U8, U16, I32");
  file = {};
  file.id_shape = {2};
  expect_refused(file, "U8 [2] should have 2 dimensions");
  file = {};
  file.id_shape = {1, 2};
  file.metadata["top_k"] = "1";
  expect_refused(file, "has 2 choices per token; the metadata says 1");
  file = {};
  file.metadata["experts"] = "many";
  expect_refused(file, "\"experts\" is \"many\", not a whole number");
  file = {};
  file.metadata["experts"] = "99999999999";
  expect_refused(file, "top 1 of 99999999999 experts cannot be");
  file = {};
  const std::vector<float> weights(3);
  file.more.push_back(
      {{"gate_weights", TensorType::F32, {3, 1}}, std::as_bytes(std::span(weights))});
  expect_refused(file, "tensor \"gate_weights\": F32 [3, 1] should have 2 dimensions, the first");
  file = {};
  file.more.push_back({{"logits", TensorType::F32, {2, 0}}, {}});
  expect_refused(file, "logits");
}

TEST(NativeTrace, RefusesChunksOutsideItsRows) {
  NativeFile file;
  file.chunks = {0, 0, -1, 1, 2};
  expect_refused(file, "chunk 0: 2 rows from row 1 on lie outside the 2 rows");
  file.chunks = {0, 0, -1, 1, std::numeric_limits<std::int64_t>::max()};
  expect_refused(file, "lie outside");
  file.chunks = {0, 0, -1, -1, 2};
  expect_refused(file, "lie outside");
  file.chunks = {0, 0, -1, 0, 1};
  expect_refused(file, "row 1 belongs to no chunk");
  file.chunks = {0, 0, 0, 0, 1, 0, 0, 0, 1, 1};
  expect_refused(file, "step 0, layer 0, rank 0 appears in two chunks");
  file.chunks = {};
  expect_refused(file, "holds no tokens");
}

TEST(NativeTrace, NamesRowsWithIdsOutOfRangeOnlyWhenRead) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  NativeFile file;
  file.ids = {1, 200};
  file.write(path);
  const RoutingTrace trace = RoutingTrace::open(path);
  expect_error<InvalidInput>([&trace] { trace.check_rows(); }, "expert id 200 is outside 0 to 3");
}

TEST(NativeTrace, RefusesCountsThatDoNotFit) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  const std::vector<std::int64_t> rows{0, 0, -1};
  const std::vector<std::int64_t> counts{1, 2, 3, 4};
  const auto write = [&](std::vector<std::size_t> shape) {
    write_safetensors(
        path,
        true,
        {{{"count_rows", TensorType::I64, {1, 3}}, std::as_bytes(std::span(rows))},
         {{"counts", TensorType::I64, std::move(shape)}, std::as_bytes(std::span(counts))}},
        {{"format_version", "1"}});
  };
  write({1, 4});
  EXPECT_EQ(std::get<ExpertLoad>(open_routing(path)).counts(0, 3), 4);
  write({2, 2});
  expect_error<InvalidInput>([&path] { (void)open_routing(path); }, "should be I64 [1, experts]");
  write({4});
  expect_error<InvalidInput>([&path] { (void)open_routing(path); }, "should be I64 [1, experts]");
}

TEST(TraceWriter, WritesPiecesOfChunksAsOneTrace) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  TraceWriter writer(path, false, {.metadata = small_metadata(), .rows = 3, .chunks = 2});
  TraceColumns part;
  part.chunks = {{0, 1, -1, 0, 2}};
  part.expert_ids = {0, 1};
  writer.append(part);
  part.chunks = {{0, 2, -1, 0, 1}};
  part.expert_ids = {2, 3, 1, kNoExpert};
  writer.append(part);
  writer.commit();
  const RoutingTrace trace = RoutingTrace::open(path);
  EXPECT_EQ(copy_rows(trace, trace.chunks()[0]).expert_ids,
            (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(copy_rows(trace, trace.chunks()[1]).expert_ids,
            (std::vector<std::int32_t>{1, kNoExpert}));
}

TEST(TraceWriter, RefusesAnIncompleteTrace) {
  const TemporaryFolder folder;
  TraceWriter writer(folder.path() / "x.safetensors",
                     false,
                     {.metadata = small_metadata(), .rows = 3, .chunks = 1});
  TraceColumns part;
  part.chunks = {{0, 1, -1, 0, 3}};
  part.expert_ids = {0, 1};
  writer.append(part);
  EXPECT_THROW(writer.commit(), InternalError);
  part.gate_weights = {1, 1};
  EXPECT_THROW(writer.append(part), InternalError);
}

TEST(TraceOutput, KeepsTheOldFileUnlessForced) {
  const TemporaryFolder folder;
  const auto path = folder.write("x.safetensors", "old");
  expect_error<InvalidInput>([&path] { write_trace(small_trace(), path, false); }, "--force");
  EXPECT_EQ(contents(path), "old");
  write_trace(small_trace(), path, true);
  EXPECT_EQ(RoutingTrace::open(path).row_count(), 6U);
}

// Files of this process may not grow beyond a limit: as a full disk does, it fails a write.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }

  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;
  SizeLimit(SizeLimit&&) = delete;
  SizeLimit& operator=(SizeLimit&&) = delete;

  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    (void)std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST(TraceOutput, LeavesTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const auto path = folder.write("x.safetensors", "old");
  RandomTraceShape shape;
  shape.tokens = 5000;
  const RoutingTrace trace = random_trace(shape, 1);
  {
    const SizeLimit limit(4096);
    expect_error<InvalidInput>([&] { write_trace(trace, path, true); },
                               "x.safetensors: cannot be written: File too large\nnothing was "
                               "changed");
  }
  EXPECT_EQ(contents(path), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(TraceOutput, SaysThatAPathCannotBeWritten) {
  expect_error<InvalidInput>(
      [] { write_trace(small_trace(), "/nonexistent-folder/x.safetensors", false); },
      "the folder does not exist");
  expect_error<InvalidInput>([] { write_trace(small_trace(), "/proc/x.safetensors", false); },
                             "/proc/x.safetensors: ");
  const TemporaryFolder folder;
  expect_error<InvalidInput>([&folder] { write_trace(small_trace(), folder.path(), true); },
                             "is a folder");
}

}  // namespace
}  // namespace switchyard
