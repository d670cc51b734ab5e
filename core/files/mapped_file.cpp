// mmap by hand instead of Boost.Interprocess, whose regions offer no madvise on a sub-range.
#include "core/files/mapped_file.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.hpp"

namespace switchyard {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Location where{path.string(), ""};
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw InvalidInput(std::string("cannot be opened: ") + std::strerror(errno), where);
  }
  struct stat status = {};
  const bool is_known = ::fstat(descriptor, &status) == 0;
  if (!is_known || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw InvalidInput("is not a regular file", where);
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED) {
      const std::string reason = std::strerror(errno);
      ::close(descriptor);
      throw InvalidInput("cannot be mapped: " + reason, where);
    }
    data_ = static_cast<const std::byte*>(address);
  }
  ::close(descriptor);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

MappedFile::~MappedFile() {
  unmap();
}

void MappedFile::unmap() noexcept {
  if (data_ != nullptr) {
    ::munmap(const_cast<std::byte*>(data_), size_);
  }
}

void MappedFile::release(std::span<const std::byte> part) const noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data());
  // Only whole pages inside the part: its neighbours may still be in use.
  const std::uintptr_t skipped = (page - begin % page) % page;
  if (data_ == nullptr || part.size() <= skipped) {
    return;
  }
  const std::uintptr_t length = (part.size() - skipped) / page * page;
  if (length > 0) {
    ::madvise(const_cast<std::byte*>(part.data() + skipped), length, MADV_DONTNEED);
  }
}

}  // namespace switchyard
