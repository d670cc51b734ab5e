#include "traces/files/safetensors.hpp"

#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/files/half_precision.hpp"

namespace switchyard {
namespace {

using testing::contents;
using testing::expect_error;
using testing::TemporaryFolder;

std::string with_length(const std::string& header, std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header;
}

std::string file_of(const std::string& header, const std::string& content) {
  return with_length(header, header.size()) + content;
}

void expect_refused(const std::string& bytes, const std::string& words) {
  const TemporaryFolder folder;
  const auto path = folder.write("x.safetensors", bytes);
  expect_error<InvalidInput>([&path] { (void)SafetensorsFile(path); }, words);
}

TEST(Safetensors, ReadsWhatItWrote) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  const std::vector<float> floats{1.5F, -2, 3, 4, 5, 6};
  const std::vector<std::int64_t> longs{1LL << 40U, -7};
  const std::vector<std::uint8_t> small{1, 2, 3};
  write_safetensors(path,
                    false,
                    {{{"small", TensorType::U8, {3}}, std::as_bytes(std::span(small))},
                     {{"floats", TensorType::F32, {2, 3}}, std::as_bytes(std::span(floats))},
                     {{"longs", TensorType::I64, {2}}, std::as_bytes(std::span(longs))},
                     {{"none", TensorType::F32, {0, 4}}, {}}},
                    {{"note", "h\u00e9"}});
  const SafetensorsFile file(path);
  EXPECT_EQ(file.metadata().at("note"), "h\u00e9");
  EXPECT_EQ(file.tensors().size(), 4U);
  const Tensor& read = file.at("floats");
  EXPECT_EQ(read.shape_text(), "F32 [2, 3]");
  const auto values = read.values<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()), floats);
  EXPECT_EQ(file.at("longs").values<std::int64_t>()[0], 1LL << 40U);
  EXPECT_EQ(file.at("none").element_count(), 0U);
  EXPECT_TRUE(is_safetensors(path));
}

TEST(Safetensors, WritesArraysAligned) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  SafetensorsWriter writer(path,
                           false,
                           {{"a", TensorType::U8, {3}},
                            {"b", TensorType::F32, {1}},
                            {"c", TensorType::BF16, {3}},
                            {"d", TensorType::F64, {1}}},
                           {});
  const std::string bytes(8, 'x');
  for (const auto& [name, size] :
       std::map<std::string, std::size_t>{{"a", 3}, {"b", 4}, {"c", 6}, {"d", 8}}) {
    writer.append(name, std::as_bytes(std::span(bytes)).first(size));
  }
  writer.commit();
  const SafetensorsFile file(path);
  for (const auto& [name, tensor] : file.tensors()) {
    const auto address = reinterpret_cast<std::uintptr_t>(tensor.bytes.data());
    EXPECT_EQ(address % element_size(tensor.type), 0U) << name;
  }
}

TEST(Safetensors, CopiesWhatAForeignWriterLeftMisaligned) {
  const float value = 2.5F;
  std::string content(4, '\0');
  std::memcpy(content.data(), &value, 4);
  for (const char* padding : {"", " ", "  ", "   "}) {
    const TemporaryFolder folder;
    const auto path = folder.write(
        "x",
        file_of(std::string(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})") + padding,
                content));
    const SafetensorsFile file(path);
    const Tensor& read = file.at("w");
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read.bytes.data()) % 4, 0U);
    EXPECT_EQ(read.values<float>()[0], value);
    file.release(read.bytes);
    EXPECT_EQ(read.values<float>()[0], value);
  }
}

TEST(Safetensors, RefusesAFileCutShort) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  const std::vector<float> values(100);
  write_safetensors(
      path, false, {{{"values", TensorType::F32, {100}}, std::as_bytes(std::span(values))}});
  const std::string whole = contents(path);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    expect_refused(whole.substr(0, size), "x.safetensors");
  }
  expect_refused(whole.substr(0, whole.size() - 1), "bytes 0 to 400 lie outside the 399 bytes");
  expect_refused("", "0 bytes are too few");
}

TEST(Safetensors, RefusesAnOversizedHeader) {
  expect_refused(with_length("{}", 1ULL << 62U), "the header claims 4611686018427387904 bytes");
  expect_refused(with_length("{}", 50), "claims 50 bytes but only 2 follow");
}

TEST(Safetensors, RefusesBytesThatNoTensorOwns) {
  expect_refused(file_of("{}", "abc"), "3 bytes follow the last tensor");
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                  "b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                         "abc"),
                 "tensor \"b\": its bytes start at 2, after a gap");
}

TEST(Safetensors, RefusesOverlappingTensors) {
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                  "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                         "abc"),
                 "tensor \"b\": its bytes start at 1, overlapping");
}

TEST(Safetensors, RefusesShapesThatDoNotFit) {
  const auto header = [](const std::string& body) {
    return file_of(R"({"a":{)" + body + "}}", "abcd");
  };
  expect_refused(header(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
                 "F32 [2] does not fill its 4 bytes");
  expect_refused(header(R"("dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4])"),
                 "overflows 64 bits");
  expect_refused(header(R"("dtype":"F33","shape":[1],"data_offsets":[0,4])"),
                 "unknown dtype \"F33\"");
  expect_refused(header(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), "whole numbers");
  expect_refused(header(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,4])"), "whole numbers");
  expect_refused(header(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), "lie outside");
  expect_refused(header(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), "data_offsets");
  expect_refused(header(R"("dtype":"F32","shape":[1])"), "has no \"data_offsets\"");
  expect_refused(header(R"("dtype":[],"shape":[1],"data_offsets":[0,4])"), "unknown dtype");
}

TEST(Safetensors, RefusesHeadersThatAreNoUtf8OrNoObject) {
  expect_refused(file_of("{\"a\xff\":1}", ""), "ill-formed UTF-8 byte; last read: '\"a?'");
  expect_refused(file_of("[1,2]", ""), "no JSON object");
  expect_refused(file_of("{\"a\":1,\"a\":2}", ""), "appears twice");
  expect_refused(file_of("{\"a\":", ""), "not valid JSON");
  expect_refused(file_of(R"({"__metadata__":{"a":1}})", ""), "\"a\" is not a string");
  expect_refused(file_of(std::string(200000, '['), ""), "not valid JSON");
}

TEST(Safetensors, NamesTheNearestTensor) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "x", file_of(R"({"logits":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "a"));
  const SafetensorsFile file(path);
  expect_error<InvalidInput>([&file] { (void)file.at("logit"); }, "did you mean \"logits\"?");
}

TEST(Safetensors, NeverHalfWrites) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  {
    SafetensorsWriter writer(path, false, {{"a", TensorType::U8, {4}}}, {});
    writer.append("a", std::as_bytes(std::span("ab", 2)));
    EXPECT_THROW(writer.commit(), InternalError);
    EXPECT_THROW(writer.append("a", std::as_bytes(std::span("abcde", 5))), InternalError);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

RC_GTEST_PROP(Safetensors, NeverCrashesOnDamagedBytes, ()) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  std::vector<float> values(20);
  std::iota(values.begin(), values.end(), 0.0F);
  write_safetensors(path,
                    false,
                    {{{"values", TensorType::F32, {4, 5}}, std::as_bytes(std::span(values))},
                     {{"more", TensorType::F32, {20}}, std::as_bytes(std::span(values))}});
  std::string bytes = contents(path);
  const std::size_t at = *rc::gen::inRange<std::size_t>(0, bytes.size());
  bytes[at] = *rc::gen::arbitrary<char>();
  const auto damaged = folder.write("damaged", bytes);
  try {
    const SafetensorsFile file(damaged);
    std::size_t total = 0;
    for (const auto& [name, tensor] : file.tensors()) {
      for (const std::byte value : tensor.bytes) {
        total += std::to_integer<std::size_t>(value);
      }
    }
    RC_ASSERT(total < 255U * bytes.size());
  } catch (const InvalidInput&) {
    RC_SUCCEED("refused");
  }
}

TEST(HalfPrecision, ConvertsKnownNumbers) {
  EXPECT_EQ(float_from_f16(0x3C00), 1.0F);
  EXPECT_EQ(float_from_f16(0xC000), -2.0F);
  EXPECT_EQ(float_from_f16(0x0001), 0x1p-24F);
  EXPECT_EQ(float_from_f16(0x03FF), 0x1.FF8p-15F);
  EXPECT_EQ(float_from_f16(0x7BFF), 65504.0F);
  EXPECT_EQ(float_from_f16(0xFC00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(float_from_f16(0x7E00)));
  EXPECT_EQ(float_from_bf16(0x3F80), 1.0F);
  EXPECT_EQ(bf16_from_float(1.00390625F), 0x3F80);  // a tie: to even
  EXPECT_EQ(bf16_from_float(1.01171875F), 0x3F82);  // a tie: to even
  EXPECT_TRUE(std::isnan(float_from_bf16(bf16_from_float(std::nanf("")))));
}

TEST(HalfPrecision, BfloatRoundTripsEveryPattern) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float value = float_from_bf16(static_cast<std::uint16_t>(bits));
    if (!std::isnan(value)) {
      EXPECT_EQ(bf16_from_float(value), bits);
    }
  }
}

}  // namespace
}  // namespace switchyard
