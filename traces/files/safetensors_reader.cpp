// The header comes from outside: nothing in it is used before the JSON, the type, the shape and
// the byte range of every tensor have been checked against the size of the file.
#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/components/suggestion.hpp"
#include "core/files/json_file.hpp"
#include "core/files/mapped_file.hpp"
#include "traces/files/safetensors.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // the limit of the reference reader
constexpr std::size_t kLargestCopy = std::size_t{1} << 30U;
constexpr std::uintptr_t kMappedAlong = 65536;  // fault_around_bytes of Linux

struct TypeRow {
  TensorType type;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<TypeRow, 15> kTypes{{
    {TensorType::Bool, "BOOL", 1},
    {TensorType::U8, "U8", 1},
    {TensorType::I8, "I8", 1},
    {TensorType::F8E4M3, "F8_E4M3", 1},
    {TensorType::F8E5M2, "F8_E5M2", 1},
    {TensorType::U16, "U16", 2},
    {TensorType::I16, "I16", 2},
    {TensorType::F16, "F16", 2},
    {TensorType::BF16, "BF16", 2},
    {TensorType::U32, "U32", 4},
    {TensorType::I32, "I32", 4},
    {TensorType::F32, "F32", 4},
    {TensorType::U64, "U64", 8},
    {TensorType::I64, "I64", 8},
    {TensorType::F64, "F64", 8},
}};

const TypeRow& row_of(TensorType type) {
  return *std::find_if(
      kTypes.begin(), kTypes.end(), [type](const TypeRow& row) { return row.type == type; });
}

std::optional<TensorType> type_named(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) {
      return row.type;
    }
  }
  return std::nullopt;
}

Location tensor_place(const Location& file, const std::string& name) {
  return {file.file, "tensor \"" + name + "\""};
}

std::uint64_t header_length(std::span<const std::byte> bytes) {
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = (length << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return length;
}

std::string_view header_text(std::span<const std::byte> bytes, const Location& file) {
  if (bytes.size() < kLengthBytes) {
    throw InvalidInput(fmt::format("{} bytes are too few for a safetensors file", bytes.size()),
                       file);
  }
  const std::uint64_t length = header_length(bytes);
  if (length > kLargestHeader) {
    throw InvalidInput(
        fmt::format("the header claims {} bytes; at most {} are allowed", length, kLargestHeader),
        file.at_offset(0),
        "this does not look like a safetensors file");
  }
  if (length > bytes.size() - kLengthBytes) {
    throw InvalidInput(
        fmt::format(
            "the header claims {} bytes but only {} follow", length, bytes.size() - kLengthBytes),
        file.at_offset(0),
        "the file was cut short, or is not a safetensors file");
  }
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
          static_cast<std::size_t>(length)};
}

std::uint64_t whole_number(const json& value, const Location& where) {
  if (!value.is_number_unsigned()) {
    throw InvalidInput(
        std::string("wanted whole numbers of zero or more, got a ") + value.type_name(), where);
  }
  return value.get<std::uint64_t>();
}

const json& entry(const json& object, const char* key, const Location& where) {
  const auto found = object.find(key);
  if (found == object.end()) {
    throw InvalidInput(fmt::format("has no \"{}\"", key), where);
  }
  return *found;
}

// A tensor of the header and where its bytes are in the data section.
struct Described {
  Tensor tensor;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::uint64_t bytes_of_shape(const Tensor& tensor, const Location& where) {
  std::uint64_t bytes = element_size(tensor.type);
  for (const std::size_t extent : tensor.shape) {
    if (__builtin_mul_overflow(bytes, std::uint64_t{extent}, &bytes)) {
      throw InvalidInput("the shape overflows 64 bits: " + tensor.shape_text(), where);
    }
  }
  return bytes;
}

Described describe(const std::string& name,
                   const json& value,
                   std::uint64_t data_size,
                   const Location& where) {
  if (!value.is_object()) {
    throw InvalidInput("is described by something that is no JSON object", where);
  }
  Described described;
  described.tensor.name = name;
  const json& type = entry(value, "dtype", where);
  const std::string type_text = type.is_string() ? type.get<std::string>() : type.type_name();
  const auto known = type_named(type_text);
  if (!known) {
    throw InvalidInput("unknown dtype \"" + type_text + "\"", where);
  }
  described.tensor.type = *known;
  const json& shape = entry(value, "shape", where);
  const json& offsets = entry(value, "data_offsets", where);
  if (!shape.is_array() || !offsets.is_array() || offsets.size() != 2) {
    throw InvalidInput("wanted \"shape\": [...] and \"data_offsets\": [begin, end]", where);
  }
  for (const json& extent : shape) {
    described.tensor.shape.push_back(whole_number(extent, where));
  }
  described.begin = whole_number(offsets[0], where);
  described.end = whole_number(offsets[1], where);
  if (described.begin > described.end || described.end > data_size) {
    throw InvalidInput(fmt::format("its bytes {} to {} lie outside the {} bytes of data",
                                   described.begin,
                                   described.end,
                                   data_size),
                       where,
                       "the file was cut short or its header is damaged");
  }
  if (bytes_of_shape(described.tensor, where) != described.end - described.begin) {
    throw InvalidInput(fmt::format("{} does not fill its {} bytes",
                                   described.tensor.shape_text(),
                                   described.end - described.begin),
                       where);
  }
  return described;
}

// The format allows neither overlaps nor holes: sorted ranges must follow one another exactly.
void check_coverage(std::vector<const Described*> order,
                    std::uint64_t data_size,
                    const Location& file) {
  std::sort(order.begin(), order.end(), [](const Described* a, const Described* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t expected = 0;
  for (const Described* described : order) {
    if (described->begin != expected) {
      throw InvalidInput(fmt::format("its bytes start at {}, {} the end of the tensor before ({})",
                                     described->begin,
                                     described->begin < expected ? "overlapping" : "after a gap to",
                                     expected),
                         tensor_place(file, described->tensor.name),
                         "the header is damaged");
    }
    expected = described->end;
  }
  if (expected != data_size) {
    throw InvalidInput(
        fmt::format("{} bytes follow the last tensor", data_size - expected),
        file,
        "the file is longer than its header says: two files joined, or a damaged header");
  }
}

std::map<std::string, std::string> read_metadata(const json& value, const Location& file) {
  const Location where = tensor_place(file, "__metadata__");
  if (!value.is_object()) {
    throw InvalidInput("is no JSON object", where);
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      throw InvalidInput(fmt::format("\"{}\" is not a string", key), where);
    }
    metadata.emplace(key, text.get<std::string>());
  }
  return metadata;
}

}  // namespace

std::size_t element_size(TensorType type) {
  return row_of(type).bytes;
}

std::string_view tensor_type_name(TensorType type) {
  return row_of(type).name;
}

std::string Tensor::shape_text() const {
  return fmt::format("{} [{}]", tensor_type_name(type), fmt::join(shape, ", "));
}

struct SafetensorsFile::State {
  explicit State(const std::filesystem::path& path) : file(path), where{path.string(), ""} {}

  MappedFile file;
  Location where;
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
  std::vector<std::vector<std::uint64_t>> copies;  // of misaligned arrays

  void place(const Described& described, std::span<const std::byte> data);
};

void SafetensorsFile::State::place(const Described& described, std::span<const std::byte> data) {
  Tensor tensor = described.tensor;
  tensor.bytes = data.subspan(described.begin, described.end - described.begin);
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.bytes.data());
  if (!tensor.bytes.empty() && address % element_size(tensor.type) != 0) {
    if (tensor.bytes.size() > kLargestCopy) {
      throw InvalidInput("is not aligned and too large to copy",
                         tensor_place(where, tensor.name),
                         "write the file again with the safetensors library, which aligns");
    }
    std::vector<std::uint64_t>& copy = copies.emplace_back((tensor.bytes.size() + 7) / 8);
    std::memcpy(copy.data(), tensor.bytes.data(), tensor.bytes.size());
    tensor.bytes = std::as_bytes(std::span(copy)).first(tensor.bytes.size());
  }
  tensors.emplace(tensor.name, std::move(tensor));
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : state_(std::make_unique<State>(path)) {
  const std::span<const std::byte> bytes = state_->file.bytes();
  const std::string_view text = header_text(bytes, state_->where);
  const json header = parse_json(text, {state_->where.file, "header"});
  if (!header.is_object()) {
    throw InvalidInput("the header is no JSON object", state_->where);
  }
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + text.size());
  std::vector<Described> described;
  described.reserve(header.size());
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      state_->metadata = read_metadata(value, state_->where);
    } else {
      described.push_back(describe(name, value, data.size(), tensor_place(state_->where, name)));
    }
  }
  std::vector<const Described*> order;
  for (const Described& one : described) {
    order.push_back(&one);
  }
  check_coverage(std::move(order), data.size(), state_->where);
  for (const Described& one : described) {
    state_->place(one, data);
  }
}

SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;
SafetensorsFile::~SafetensorsFile() = default;

const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return state_->metadata;
}

const std::map<std::string, Tensor>& SafetensorsFile::tensors() const {
  return state_->tensors;
}

const Tensor* SafetensorsFile::find(const std::string& name) const {
  const auto found = state_->tensors.find(name);
  return found == state_->tensors.end() ? nullptr : &found->second;
}

const Tensor& SafetensorsFile::at(const std::string& name) const {
  const Tensor* found = find(name);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const auto& [known, tensor] : state_->tensors) {
      names.push_back(known);
    }
    throw InvalidInput(
        "holds no tensor \"" + name + "\"", state_->where, suggestion_hint(name, names));
  }
  return *found;
}

Location SafetensorsFile::where() const {
  return state_->where;
}

Location SafetensorsFile::where(const std::string& tensor) const {
  return tensor_place(state_->where, tensor);
}

void SafetensorsFile::release(std::span<const std::byte> part) const {
  const std::span<const std::byte> all = state_->file.bytes();
  const auto first = reinterpret_cast<std::uintptr_t>(all.data());
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data());
  if (part.empty() || begin < first || begin >= first + all.size()) {
    return;  // empty, or a copy
  }
  // A fault maps its neighbours too, among them pages that were dropped a moment ago.
  const std::uintptr_t aligned = std::max(first, begin / kMappedAlong * kMappedAlong);
  state_->file.release({all.data() + (aligned - first), part.size() + (begin - aligned)});
}

bool is_safetensors(const std::filesystem::path& path) noexcept {
  try {
    std::ifstream file(path, std::ios::binary);
    std::array<char, kLengthBytes + 1> start{};
    if (!file.read(start.data(), start.size())) {
      return false;
    }
    const std::uint64_t length = header_length(std::as_bytes(std::span(start)));
    return length >= 2 && length <= kLargestHeader && start.back() == '{';
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace switchyard
