// POSIX calls rather than streams: a full disk must be noticed at the write that hits it, and the
// rename must come after the data is safe.
#include "core/files/atomic_file.hpp"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace switchyard {
namespace {

std::string reason() {
  return std::strerror(errno);
}

}  // namespace

void check_writable(const std::filesystem::path& target, bool overwrite) {
  const Location where{target.string(), ""};
  std::error_code problem;
  if (std::filesystem::is_directory(target, problem)) {
    throw InvalidInput("is a folder, not a file", where, "name a file inside it");
  }
  if (!overwrite && std::filesystem::exists(target, problem)) {
    throw InvalidInput("exists already", where, "pass --force to replace it");
  }
  const std::filesystem::path folder =
      target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder, problem)) {
    throw InvalidInput(
        "the folder does not exist", where, "create it: mkdir -p " + folder.string());
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw InvalidInput("the folder cannot be written: " + reason(), where);
  }
}

AtomicFile::AtomicFile(std::filesystem::path target, bool overwrite) : target_(std::move(target)) {
  check_writable(target_, overwrite);
  std::string name = target_.string() + ".XXXXXX";
  descriptor_ = ::mkstemp(name.data());
  if (descriptor_ < 0) {
    fail("cannot be created");
  }
  temporary_ = name;
  // mkstemp makes private files; results should follow the user's umask as any other output does.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(descriptor_, 0666U & ~mask) != 0) {
    fail("cannot set its permissions");
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
  if (!committed_ && !temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::fail(const std::string& what) const {
  throw InvalidInput(what + ": " + reason(),
                     {target_.string(), ""},
                     "nothing was changed; free some space or choose another place with -o");
}

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail("cannot be written");
    }
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::write_at(std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail("cannot be written");
    }
    offset += static_cast<std::uint64_t>(done);
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

void AtomicFile::commit() {
  // EINVAL: the target's file system (a pipe, /dev/full's neighbours) knows no fsync.
  if (::fsync(descriptor_) != 0 && errno != EINVAL) {
    fail("cannot be flushed");
  }
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) {
    fail("cannot be closed");
  }
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail("cannot be renamed into place");
  }
  committed_ = true;
}

void write_file(const std::filesystem::path& path, std::string_view content, bool overwrite) {
  if (path == "-") {
    std::cout << content << std::flush;
    if (!std::cout) {
      throw InvalidInput("cannot be written", {"standard output", ""});
    }
    return;
  }
  AtomicFile file(path, overwrite);
  file.write(content);
  file.commit();
}

}  // namespace switchyard
