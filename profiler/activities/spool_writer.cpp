#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "core/error.hpp"
#include "profiler/activities/activity_spool.hpp"
#include "profiler/activities/spool_format.hpp"

namespace switchyard {
namespace {

template <class Plain>
std::string_view bytes_of(const Plain* values, std::size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(Plain)};
}

void append_text(std::string& payload, std::string_view text) {
  payload += text;
  payload += '\0';
}

}  // namespace

SpoolWriter::SpoolWriter(const std::filesystem::path& path)
    : path_(path),
      descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) {
    throw InvalidInput(std::string("cannot be created: ") + std::strerror(errno),
                       {path_.string(), ""});
  }
  const spool::Head head;
  write_all(&head, sizeof(head));
  bytes_written_ = sizeof(head);
}

SpoolWriter::~SpoolWriter() {
  ::close(descriptor_);
}

void SpoolWriter::write_all(const void* bytes, std::size_t count) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(descriptor_, next, count);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      const std::string reason = std::strerror(errno);
      // What is half written is taken back, so that later frames can still be read.
      const int undone = ::ftruncate(descriptor_, static_cast<off_t>(bytes_written_));
      throw InvalidInput(
          "cannot be written: " + reason + (undone == 0 ? "" : " (and its end is damaged)"),
          {path_.string(), ""});
    }
    next += written;
    count -= static_cast<std::size_t>(written);
  }
}

void SpoolWriter::write_frame(std::uint32_t type, std::string_view payload) {
  const spool::FrameHead head{.type = type, .bytes = payload.size()};
  write_all(&head, sizeof(head));
  write_all(payload.data(), payload.size());
  bytes_written_ += sizeof(head) + payload.size();
}

void SpoolWriter::write_owner(const SpoolOwner& owner) {
  const spool::OwnerNumbers numbers{.epoch_unix_ns = owner.epoch_unix_ns,
                                    .process_id = owner.process_id,
                                    .rank = owner.rank,
                                    .world_size = owner.world_size,
                                    .cupti_version = owner.cupti_version};
  std::string payload(bytes_of(&numbers, 1));
  append_text(payload, owner.host);
  append_text(payload, owner.command);
  write_frame(spool::Owner, payload);
}

void SpoolWriter::write_problem(std::string_view reason, std::string_view hint) {
  std::string payload;
  append_text(payload, reason);
  append_text(payload, hint);
  write_frame(spool::Problem, payload);
}

void SpoolWriter::take(ActivityLog& log) {
  if (names_written_ < log.names.size()) {
    std::string payload;
    for (std::size_t i = names_written_; i < log.names.size(); ++i) {
      append_text(payload, log.names[i]);
    }
    write_frame(spool::Names, payload);
    names_written_ = log.names.size();
  }
  if (!log.devices.empty()) {
    write_frame(spool::Devices, bytes_of(log.devices.data(), log.devices.size()));
  }
  if (!log.records.empty()) {
    write_frame(spool::Records, bytes_of(log.records.data(), log.records.size()));
  }
  const spool::CountNumbers numbers{log.untimed, log.dropped, log.malformed};
  std::string payload(bytes_of(&numbers, 1));
  for (const auto& [kind, count] : log.unknown_kinds) {
    const std::uint64_t wide_kind = kind;
    payload += bytes_of(&wide_kind, 1);
    payload += bytes_of(&count, 1);
  }
  write_frame(spool::Counts, payload);
}

void SpoolWriter::write_end() {
  write_frame(spool::End, {});
}

}  // namespace switchyard
