// Arrays come widest element first and the header is padded to 8 bytes: so every array is aligned
// for a reader that maps the file, without the gaps that the format forbids.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/check.hpp"
#include "core/files/atomic_file.hpp"
#include "traces/files/safetensors.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kAlignment = 8;

struct Extent {
  std::uint64_t next = 0;  // file offset of the next byte to append
  std::uint64_t end = 0;
};

std::uint64_t byte_count(const TensorSpec& spec) {
  std::uint64_t bytes = element_size(spec.type);
  for (const std::size_t extent : spec.shape) {
    SWITCHYARD_CHECK(!__builtin_mul_overflow(bytes, std::uint64_t{extent}, &bytes),
                     "tensor " + spec.name + " is too large");
  }
  return bytes;
}

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>((value >> (8U * i)) & 0xFFU));
  }
  return bytes;
}

}  // namespace

struct SafetensorsWriter::State {
  State(const std::filesystem::path& path, bool overwrite) : file(path, overwrite) {}

  AtomicFile file;
  std::map<std::string, Extent> extents;
};

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     bool overwrite,
                                     const std::vector<TensorSpec>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : state_(std::make_unique<State>(path, overwrite)) {
  std::vector<TensorSpec> ordered = tensors;
  std::stable_sort(ordered.begin(), ordered.end(), [](const TensorSpec& a, const TensorSpec& b) {
    return element_size(a.type) > element_size(b.type);
  });
  nlohmann::ordered_json header;
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::uint64_t offset = 0;
  for (const TensorSpec& spec : ordered) {
    const std::uint64_t end = offset + byte_count(spec);
    header[spec.name] = {{"dtype", tensor_type_name(spec.type)},
                         {"shape", spec.shape},
                         {"data_offsets", {offset, end}}};
    const bool is_new = state_->extents.emplace(spec.name, Extent{offset, end}).second;
    SWITCHYARD_CHECK(is_new, "two tensors are called " + spec.name);
    offset = end;
  }
  std::string text = header.is_null() ? "{}" : header.dump();
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  for (auto& [name, extent] : state_->extents) {
    extent.next += 8 + text.size();
    extent.end += 8 + text.size();
  }
  state_->file.write(little_endian(text.size()) + text);
}

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter& SafetensorsWriter::operator=(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter::~SafetensorsWriter() = default;

void SafetensorsWriter::append(const std::string& name, std::span<const std::byte> bytes) {
  const auto found = state_->extents.find(name);
  SWITCHYARD_CHECK(found != state_->extents.end(), "no tensor is called " + name);
  Extent& extent = found->second;
  SWITCHYARD_CHECK(bytes.size() <= extent.end - extent.next, "tensor " + name + " is full");
  state_->file.write_at(extent.next, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  extent.next += bytes.size();
}

void SafetensorsWriter::commit() {
  for (const auto& [name, extent] : state_->extents) {
    SWITCHYARD_CHECK(extent.next == extent.end, "tensor " + name + " is not complete");
  }
  state_->file.commit();
}

void write_safetensors(const std::filesystem::path& path,
                       bool overwrite,
                       const std::vector<TensorContent>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSpec> specs;
  for (const TensorContent& tensor : tensors) {
    specs.push_back(tensor.spec);
  }
  SafetensorsWriter writer(path, overwrite, specs, metadata);
  for (const TensorContent& tensor : tensors) {
    writer.append(tensor.spec.name, tensor.bytes);
  }
  writer.commit();
}

}  // namespace switchyard
