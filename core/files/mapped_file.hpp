// A file mapped read-only into memory: the page cache is the buffer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace switchyard {

class MappedFile {
 public:
  /// Throws InvalidInput if the file cannot be opened or is not a regular file.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }

  /// Tells the kernel that these bytes will not be read again soon, which drops the whole pages
  /// among them from this process's memory. They may still be read; they are then fetched anew.
  void release(std::span<const std::byte> part) const noexcept;

 private:
  void unmap() noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace switchyard
