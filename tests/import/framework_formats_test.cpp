// The traps of what serving and training frameworks write, on files small enough to check by eye.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/importing.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/files/half_precision.hpp"
#include "traces/files/safetensors.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_import_refused;
using testing::ids_of;
using testing::import_routing;
using testing::import_trace;
using testing::TemporaryFolder;

using Ids = std::vector<std::int32_t>;

// --- TensorRT-LLM --------------------------------------------------------------------------------

class TensorRtLlm : public ::testing::Test {
 protected:
  void write_rank(int rank, const std::map<std::string, std::vector<std::int64_t>>& tensors) const {
    std::vector<TensorContent> contents;
    contents.reserve(tensors.size());
    for (const auto& [name, counts] : tensors) {
      contents.push_back(
          {{name, TensorType::I64, {counts.size()}}, std::as_bytes(std::span(counts))});
    }
    write_safetensors(
        folder.path() / ("rank" + std::to_string(rank) + ".safetensors"), true, contents);
  }

  TemporaryFolder folder;
};

TEST_F(TensorRtLlm, KeepsRanksApart) {
  folder.write("meta_info.json", R"({"num_experts":2,"num_experts_per_token":1})");
  write_rank(0, {{"100_0", {1, 2}}, {"100_1", {3, 0}}, {"100_0_raw", {9}}});
  write_rank(1, {{"100_0", {5, 5}}, {"101_0", {0, 1}}});
  const auto load = std::get<ExpertLoad>(import_routing(folder.path()));
  EXPECT_EQ(load.fidelity(), Fidelity::CountsPerRank);
  EXPECT_EQ(load.rows, (std::vector<LoadRow>{{100, 0, 0}, {100, 0, 1}, {100, 1, 0}, {101, 0, 1}}));
  EXPECT_EQ(load.counts(1, 0), 5);
}

TEST_F(TensorRtLlm, RefusesWhatDoesNotFit) {
  folder.write("meta_info.json", R"({"num_experts":2,"num_experts_per_token":2})");
  write_rank(0, {{"100_0", {1, 2}}});
  expect_import_refused(folder.path(), "step 100, layer 0, rank 0: the counts add up to 3");
  write_rank(0, {{"100_0", {1, 2, 3}}});
  expect_import_refused(folder.path(), "I64 [3] should be I64 or I32 [2]");
  write_rank(0, {{"100_0", {1, 3}}});
  write_rank(2, {{"100_0", {1, 3}}});
  expect_import_refused(folder.path(), "rank1.safetensors is missing");
  folder.write("meta_info.json", R"({"num_experts":2.5})");
  expect_import_refused(folder.path(), "wanted a whole number under \"num_experts\"");
}

// --- Megatron-Core -------------------------------------------------------------------------------

std::string megatron_record(
    int step, const std::string& block, int layer, int rank, const Ids& ids) {
  std::string rows;
  for (std::size_t i = 0; i < ids.size(); i += 2) {
    rows += fmt::format("{}[{},{}]", i == 0 ? "" : ",", ids[i], ids[i + 1]);
  }
  return fmt::format(
      R"({{"step":{},"stage":"pre_dispatch",{},"layer":{},"rank":{},"num_tokens":{},"topk":2,)"
      R"("semantic_token_ids":[["a",1]],"top_indices":[{}])",
      step,
      block,
      layer,
      rank,
      ids.size() / 2,
      rows);
}

const char* const kDecoderBlock = R"("block":"decoder")";

TEST(MegatronTrace, KeepsRanksStepsAndLayers) {
  const TemporaryFolder folder;
  folder.write("t/router_trace_rank0.jsonl",
               megatron_record(4, kDecoderBlock, 3, 0, {0, 1, 2, 3}) + "}\n" +
                   megatron_record(4, kDecoderBlock, 5, 0, {1, 0}) + "}\n");
  folder.write("t/router_trace_rank1.jsonl",
               megatron_record(4, kDecoderBlock, 3, 1, {3, 0}) + "}\n");
  const RoutingTrace trace = import_trace(folder.path() / "t");
  ASSERT_EQ(trace.chunks().size(), 3U);
  EXPECT_EQ(trace.chunks()[0], (Chunk{4, 3, 0, 0, 2}));
  EXPECT_EQ(trace.chunks()[1], (Chunk{4, 3, 1, 2, 1}));
  EXPECT_EQ(trace.chunks()[2], (Chunk{4, 5, 0, 3, 1}));
  EXPECT_EQ(trace.source_rank_count(), 2U);
  EXPECT_EQ(trace.fidelity(), Fidelity::Ids);
}

TEST(MegatronTrace, MakesMicroBatchesStepsAndMtpLayersTheLast) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("router_trace_rank0.jsonl",
                   megatron_record(0, kDecoderBlock, 7, 0, {0, 1}) + "}\n" +
                       megatron_record(0, R"("block":"mtp","mtp_idx":0)", 0, 0, {2, 3}) + "}\n" +
                       megatron_record(0, kDecoderBlock, 7, 0, {1, 0}) + "}\n" +
                       megatron_record(1, kDecoderBlock, 7, 0, {3, 0}) + "}\n");
  const RoutingTrace trace = import_trace(file);
  ASSERT_EQ(trace.chunks().size(), 4U);
  EXPECT_EQ(trace.chunks()[0], (Chunk{0, 7, 0, 0, 1}));
  EXPECT_EQ(trace.chunks()[1], (Chunk{0, 8, 0, 1, 1}));
  EXPECT_EQ(trace.chunks()[2], (Chunk{1, 7, 0, 2, 1}));
  EXPECT_EQ(trace.chunks()[3], (Chunk{2, 7, 0, 3, 1}));
  EXPECT_EQ(ids_of(trace, 2), (Ids{1, 0}));
}

TEST(MegatronTrace, ReadsTheLogitsBeside) {
  const TemporaryFolder folder;
  std::string sidecar;
  for (const float value : {9.0F, 0.5F, -2.0F, 1.0F, 3.0F}) {
    const std::uint16_t bits = bf16_from_float(value);
    sidecar.append(reinterpret_cast<const char*>(&bits), 2);
  }
  const auto record = [](int offset, int bytes, const char* shape) {
    return megatron_record(0, kDecoderBlock, 1, 0, {3, 1}) +
           fmt::format(
               R"(,"logit_offset":{},"logit_bytes":{},"logit_shape":{}}})", offset, bytes, shape) +
           "\n";
  };
  folder.write("logits_rank0.bin", sidecar);
  const auto file = folder.write("router_trace_rank0.jsonl", record(2, 8, "[1,4]"));
  const RoutingTrace trace = import_trace(file);
  EXPECT_EQ(trace.fidelity(), Fidelity::Weights);
  EXPECT_EQ(trace.expert_count(), 4U);
  EXPECT_EQ(copy_rows(trace, trace.chunks()[0]).logits, (std::vector<float>{0.5F, -2, 1, 3}));
  EXPECT_EQ(import_trace(file, {{"logits", false}}).fidelity(), Fidelity::Ids);

  folder.write("router_trace_rank0.jsonl", record(4, 8, "[1,4]"));
  expect_import_refused(file, "lie outside the 10 bytes of the sidecar file");
  folder.write("router_trace_rank0.jsonl", record(2, 8, "[1,5]"));
  expect_import_refused(file, "logit_shape is not [num_tokens, experts]");
  folder.write("router_trace_rank0.jsonl",
               record(2, 8, "[1,4]") + megatron_record(1, kDecoderBlock, 1, 0, {0, 1}) + "}\n");
  expect_import_refused(file, "only 1 of 2 records have logits");
  std::filesystem::remove(folder.path() / "logits_rank0.bin");
  expect_import_refused(file, "logits_rank0.bin: cannot be opened");
}

TEST(MegatronTrace, NamesTheLineOfABadRecord) {
  const TemporaryFolder folder;
  const auto file = [&folder](const std::string& line) {
    return folder.write("router_trace_rank0.jsonl",
                        megatron_record(0, kDecoderBlock, 1, 0, {0, 1}) + "}\n" + line + "\n");
  };
  const std::string good = megatron_record(1, kDecoderBlock, 1, 0, {0, 1});
  expect_import_refused(file(good), "line 2: not valid JSON");
  expect_import_refused(file(megatron_record(1, kDecoderBlock, 1, 0, {2, 2}) + "}"),
                        "line 2: expert 2 twice in token 0");
  expect_import_refused(file(megatron_record(1, kDecoderBlock, 1, 0, {2, -7}) + "}"),
                        "no list of lists of expert ids");
  expect_import_refused(
      file(R"({"step":1,"block":"decoder","layer":1,"rank":0,"num_tokens":2,"topk":2,)"
           R"("top_indices":[[0,1],[2]]})"),
      "rows of top_indices have different lengths");
  expect_import_refused(
      file(R"({"step":1,"block":"decoder","layer":1,"rank":0,"num_tokens":3,"topk":2,)"
           R"("top_indices":[[0,1],[2,1]]})"),
      "2 rows of top_indices for num_tokens 3");
  expect_import_refused(file(R"({"block":"decoder","layer":1,"rank":0,"num_tokens":1,"topk":2,)"
                             R"("top_indices":[[0,1]]})"),
                        "has no whole number \"step\"");
  expect_import_refused(file(megatron_record(1, kDecoderBlock, 1, 0, {2, 1}) + "}"),
                        "expert id 2 is outside 0 to 1",
                        {{"experts", 2}});
}

// --- vLLM and SGLang -----------------------------------------------------------------------------

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      const auto byte = i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U;
      bits = (bits << 8U) | byte;
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kAlphabet[(bits >> (18 - 6 * j)) & 63U];
    }
  }
  return text;
}

template <class T>
std::string raw(const Ids& ids) {
  std::string bytes;
  for (const std::int32_t id : ids) {
    const auto value = static_cast<T>(id);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  return bytes;
}

std::string npy(const std::string& type, const std::string& shape, const std::string& values) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xFFU);
  bytes += static_cast<char>(header.size() >> 8U);
  return bytes + header + values;
}

// Three tokens, two layers, top-2.
const Ids kRouted{0, 1, 1, 3, 1, 0, 3, 2, 3, 1, 0, 2};

void expect_three_tokens(const RoutingTrace& trace) {
  ASSERT_EQ(trace.chunks().size(), 2U);
  EXPECT_EQ(trace.top_k(), 2U);
  EXPECT_EQ(ids_of(trace, 0), (Ids{0, 1, 1, 0, 3, 1}));
  EXPECT_EQ(ids_of(trace, 1), (Ids{1, 3, 3, 2, 0, 2}));
}

class RoutedExperts : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path response(const std::string& line) const {
    return folder.write("responses.jsonl", line + "\n");
  }

  TemporaryFolder folder;
};

TEST_F(RoutedExperts, AreReadFromNestedLists) {
  expect_three_tokens(
      import_trace(response(R"({"prompt_routed_experts":[[[0,1],[1,3]],[[1,0],[3,2]]],)"
                            R"("choices":[{"routed_experts":[[[3,1],[0,2]]]}]})")));
  expect_three_tokens(
      import_trace(response(R"({"response":{"body":{"choices":[{"routed_experts":)"
                            R"([[[0,1],[1,3]],[[1,0],[3,2]],[[3,1],[0,2]]]}]}}})")));
}

TEST_F(RoutedExperts, AreReadFromBase64Integers) {
  const std::string text = base64(raw<std::int32_t>(kRouted));
  const std::string counted = R"({"meta_info":{"prompt_tokens":3,"completion_tokens":1,)"
                              R"("routed_experts":")" +
                              text + "\"}}";
  expect_three_tokens(import_trace(response(counted)));
  const std::string bare = R"({"routed_experts":")" + text + "\"}";
  expect_import_refused(response(bare), "cannot tell the shape of 12 expert ids");
  expect_three_tokens(import_trace(response(bare), {{"layers", 2}, {"top_k", 2}}));
  expect_import_refused(response(bare), "cannot tell the shape", {{"layers", 5}, {"top_k", 2}});
}

TEST_F(RoutedExperts, AreReadFromBase64Npy) {
  for (const auto& [type, values] :
       std::map<std::string, std::string>{{"<i2", raw<std::int16_t>(kRouted)},
                                          {"|u1", raw<std::uint8_t>(kRouted)},
                                          {"<i4", raw<std::int32_t>(kRouted)},
                                          {"<i8", raw<std::int64_t>(kRouted)}}) {
    const std::string text = base64(npy(type, "(3, 2, 2)", values));
    expect_three_tokens(
        import_trace(response(R"({"choices":[{"routed_experts":")" + text + "\"}]}")));
  }
}

TEST_F(RoutedExperts, AreReadFromDescribedBase64) {
  expect_three_tokens(
      import_trace(response(R"({"choices":[{"routed_experts":{"encoding":"base64","dtype":"int16",)"
                            R"("shape":[3,2,2],"data":")" +
                            base64(raw<std::int16_t>(kRouted)) + "\"}}]}")));
}

TEST_F(RoutedExperts, LeaveOutCachedTokensAndTellSequencesApart) {
  const RoutingTrace trace = import_trace(response(
      R"({"choices":[{"routed_experts":[[[-1,-1]],[[0,1]]]},{"routed_experts":[[[1,2]]]}]})"));
  const TraceColumns rows = copy_rows(trace, trace.chunks()[0]);
  EXPECT_EQ(rows.expert_ids, (Ids{0, 1, 1, 2}));
  EXPECT_EQ(rows.sequence_ids, (std::vector<std::int64_t>{0, 1}));
  EXPECT_THAT(trace.metadata().provenance, ::testing::HasSubstr("1 cached tokens left out"));
}

TEST_F(RoutedExperts, MayBeOneStepPerGeneratedToken) {
  const json options{{"step_per_token", true}};
  const RoutingTrace apart =
      import_trace(response(R"({"prompt_routed_experts":[[[0,1]],[[1,0]]],)"
                            R"("choices":[{"routed_experts":[[[2,3]],[[3,2]]]}]})"),
                   options);
  const RoutingTrace joint =
      import_trace(response(R"({"usage":{"prompt_tokens":2,"completion_tokens":3},)"
                            R"("choices":[{"routed_experts":[[[0,1]],[[1,0]],[[2,3]],[[3,2]]]}]})"),
                   options);
  for (const RoutingTrace* trace : {&apart, &joint}) {
    ASSERT_EQ(trace->step_layers().size(), 3U);
    EXPECT_EQ(trace->chunks()[0].row_count, 2);
    EXPECT_EQ(ids_of(*trace, 2), (Ids{3, 2}));
  }
}

TEST_F(RoutedExperts, AreRefusedWhenDamaged) {
  const auto choice = [this](const std::string& value) {
    return response(R"({"choices":[{"routed_experts":)" + value + "}]}");
  };
  expect_import_refused(choice("[[[0,1],[2]]]"), "different lengths");
  expect_import_refused(choice("[[0,1],[2,3]]"), "no list [tokens, layers, top_k]");
  expect_import_refused(choice("[[[0,\"a\"]]]"), "no expert id");
  expect_import_refused(choice("[[[0,0]]]"), "expert 0 twice in one token");
  expect_import_refused(choice("[[[0,1]]"), "line 1, column");
  expect_import_refused(choice("\"a\""), "cut short");
  expect_import_refused(choice("\"$$$$\""), "not base64");
  expect_import_refused(choice("\"" + base64("abcde") + "\""), "no whole numbers of 4 bytes");
  expect_import_refused(choice("\"" + base64(npy("<f4", "(1, 1, 1)", "abcd")) + "\""),
                        "not of little-endian integers");
  expect_import_refused(choice("\"" + base64(npy("<i2", "(9, 9, 9)", "abcd")) + "\""),
                        "2 numbers for 729");
  expect_import_refused(choice("\"" + base64(npy("<i2", "(4294967296, 4294967296, 2)", "")) + "\""),
                        "overflows");
  expect_import_refused(choice("\"" + base64("\x93NUMPY") + "\""), "no .npy array");
  expect_import_refused(choice(R"({"data":"AAAA","dtype":"int64","shape":[1,1,1]})"),
                        "no whole numbers of 8 bytes");
  expect_import_refused(choice("[[[0,1]]]},{\"routed_experts\":[[[0,1,2]]]"),
                        "earlier ones have 1 of top-2");
  expect_import_refused(response(R"({"choices":[{"routed_experts":null}]})"),
                        "--enable-return-routed-experts");
}

}  // namespace
}  // namespace switchyard
