// The safetensors container (8-byte little-endian header length, JSON header, raw arrays): the one
// file format for traces, counts, hidden states and gate weights. Arrays are views into the mapped
// file; only an array that a foreign writer left misaligned is copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

enum class TensorType {
  Bool,
  U8,
  I8,
  F8E4M3,
  F8E5M2,
  U16,
  I16,
  F16,
  BF16,
  U32,
  I32,
  F32,
  U64,
  I64,
  F64
};

/// Bytes of one element.
std::size_t element_size(TensorType type);
/// As written in the header: "BF16".
std::string_view tensor_type_name(TensorType type);

/// One array of a file: `bytes` starts at an address aligned for its element type.
struct Tensor {
  std::string name;
  TensorType type = TensorType::U8;
  std::vector<std::size_t> shape;  // empty = one number
  std::span<const std::byte> bytes;

  /// Product of the shape.
  [[nodiscard]] std::size_t element_count() const { return bytes.size() / element_size(type); }

  /// The elements as T, which must be as wide as `type`; the caller has checked the type.
  template <class T>
  [[nodiscard]] std::span<const T> values() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  /// "F32 [4, 64]"
  [[nodiscard]] std::string shape_text() const;
};

class SafetensorsFile {
 public:
  /// Maps the file and checks the whole header: UTF-8 JSON, known types, shapes that match their
  /// byte ranges without overflow, ranges that cover the data exactly, in any order. Throws
  /// InvalidInput naming the tensor or the offset.
  explicit SafetensorsFile(const std::filesystem::path& path);
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;
  ~SafetensorsFile();

  /// The strings of `__metadata__`.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  [[nodiscard]] const std::map<std::string, Tensor>& tensors() const;
  /// nullptr if there is none of that name.
  [[nodiscard]] const Tensor* find(const std::string& name) const;
  /// Throws InvalidInput with the nearest name if there is none.
  [[nodiscard]] const Tensor& at(const std::string& name) const;

  /// The file; with a name, the place of that tensor.
  [[nodiscard]] Location where() const;
  [[nodiscard]] Location where(const std::string& tensor) const;

  /// Lets the pages under `part` (of a tensor's bytes) leave this process's memory; they are read
  /// anew when touched again. Also drops up to 64 KiB before it, which the kernel maps along.
  void release(std::span<const std::byte> part) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether `path` starts like a safetensors file: a plausible header length and '{'. Never throws.
bool is_safetensors(const std::filesystem::path& path) noexcept;

/// An array to be written: its description before its bytes are there.
struct TensorSpec {
  std::string name;
  TensorType type = TensorType::U8;
  std::vector<std::size_t> shape;
};

/// Writes a file whose arrays are described up front and filled in any order and in pieces, so
/// that it may be larger than memory. The file appears at commit(), or not at all.
class SafetensorsWriter {
 public:
  /// Arrays are laid out widest element first, so that every one is aligned; within one width, in
  /// the order given. Throws InvalidInput as AtomicFile does.
  SafetensorsWriter(const std::filesystem::path& path,
                    bool overwrite,
                    const std::vector<TensorSpec>& tensors,
                    const std::map<std::string, std::string>& metadata);
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;
  SafetensorsWriter(SafetensorsWriter&&) noexcept;
  SafetensorsWriter& operator=(SafetensorsWriter&&) noexcept;
  ~SafetensorsWriter();

  /// Appends to one array. Writing past its end is a bug of the caller (InternalError).
  void append(const std::string& name, std::span<const std::byte> bytes);

  template <class T>
  void append_values(const std::string& name, std::span<const T> values) {
    append(name, std::as_bytes(values));
  }

  /// Throws InternalError if an array is not complete.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A whole array in memory, for write_safetensors.
struct TensorContent {
  TensorSpec spec;
  std::span<const std::byte> bytes;
};

/// All arrays at once.
void write_safetensors(const std::filesystem::path& path,
                       bool overwrite,
                       const std::vector<TensorContent>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace switchyard
