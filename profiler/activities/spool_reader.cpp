#include <cstring>
#include <limits>
#include <optional>
#include <span>

#include "core/error.hpp"
#include "core/files/mapped_file.hpp"
#include "profiler/activities/activity_spool.hpp"
#include "profiler/activities/spool_format.hpp"

namespace switchyard {
namespace {

// Times become signed.
constexpr auto kLatest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

// Walks over bytes that may be anything; every step is checked.
class SpoolReader {
 public:
  explicit SpoolReader(const std::filesystem::path& path) : file_(path), path_(path.string()) {
    const auto head = take<spool::Head>(file_.bytes());
    if (!head || head->magic != spool::kMagic) {
      fail("is no spool of switchyard profile");
    }
    if (head->version != spool::kVersion || head->record_bytes != sizeof(ActivityRecord)) {
      fail("was written by another version of switchyard: use the injection library of this build");
    }
    offset_ = sizeof(spool::Head);
  }

  SpoolSummary read(const std::function<void(const SpoolSummary&, const ActivityLog&)>& sink) {
    while (const auto frame = next_frame()) {
      read_frame(*frame);
      if (frame->head.type == spool::Records || frame->head.type == spool::Counts) {
        summary_.records += log_.records.size();
        sink(summary_, log_);
        log_.records.clear();
        log_.devices.clear();
      }
      offset_ += sizeof(spool::FrameHead) + frame->payload.size();
    }
    summary_.lost_bytes = file_.bytes().size() - offset_;
    return summary_;
  }

 private:
  struct FoundFrame {
    spool::FrameHead head;
    std::span<const std::byte> payload;
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw InvalidInput(what, Location{path_, ""}.at_offset(offset_));
  }

  template <class Plain>
  static std::optional<Plain> take(std::span<const std::byte> bytes) {
    if (bytes.size() < sizeof(Plain)) {
      return std::nullopt;
    }
    Plain value;
    std::memcpy(&value, bytes.data(), sizeof(Plain));
    return value;
  }

  /// Nothing at the end, or where the last frame was cut.
  [[nodiscard]] std::optional<FoundFrame> next_frame() const {
    const auto rest = file_.bytes().subspan(offset_);
    const auto head = take<spool::FrameHead>(rest);
    if (!head || head->bytes > rest.size() - sizeof(spool::FrameHead)) {
      return std::nullopt;
    }
    return FoundFrame{*head, rest.subspan(sizeof(spool::FrameHead), head->bytes)};
  }

  void read_frame(const FoundFrame& frame) {
    switch (frame.head.type) {
      case spool::Owner:
        read_owner(frame.payload);
        break;
      case spool::Names:
        read_names(frame.payload);
        break;
      case spool::Devices:
        append(frame.payload, log_.devices);
        break;
      case spool::Records:
        append(frame.payload, log_.records);
        check_records();
        break;
      case spool::Counts:
        read_counts(frame.payload);
        break;
      case spool::Problem:
        read_problem(frame.payload);
        break;
      case spool::End:
        summary_.is_complete = true;
        break;
      default:
        fail("holds a frame of unknown type " + std::to_string(frame.head.type));
    }
  }

  template <class Plain>
  void append(std::span<const std::byte> payload, std::vector<Plain>& into) const {
    if (payload.size() % sizeof(Plain) != 0) {
      fail("holds a frame that is no whole number of records");
    }
    if (payload.empty()) {
      return;
    }
    const std::size_t before = into.size();
    into.resize(before + payload.size() / sizeof(Plain));
    std::memcpy(into.data() + before, payload.data(), payload.size());
  }

  void check_records() const {
    const auto is_name = [this](std::uint32_t name) {
      return name == kNoName || name < log_.names.size();
    };
    for (const ActivityRecord& record : log_.records) {
      if (record.kind > ActivityKind::Overhead) {
        fail("holds an activity of unknown kind");
      }
      if (!is_name(record.name) || !is_name(record.domain)) {
        fail("holds an activity whose name is not there");
      }
      if (record.end < record.start || record.end > kLatest) {
        fail("holds an activity whose times cannot be");
      }
    }
  }

  std::string take_text(std::span<const std::byte>& bytes) const {
    const auto* const text = reinterpret_cast<const char*>(bytes.data());
    const std::size_t length = ::strnlen(text, bytes.size());
    if (length == bytes.size()) {
      fail("holds a text without an end");
    }
    std::string found(text, length);
    bytes = bytes.subspan(length + 1);
    return found;
  }

  void read_owner(std::span<const std::byte> payload) {
    const auto numbers = take<spool::OwnerNumbers>(payload);
    if (!numbers) {
      fail("holds a cut owner");
    }
    payload = payload.subspan(sizeof(spool::OwnerNumbers));
    summary_.owner = {.epoch_unix_ns = numbers->epoch_unix_ns,
                      .process_id = numbers->process_id,
                      .rank = numbers->rank,
                      .world_size = numbers->world_size,
                      .cupti_version = numbers->cupti_version};
    summary_.owner.host = take_text(payload);
    summary_.owner.command = take_text(payload);
    summary_.has_owner = true;
  }

  void read_names(std::span<const std::byte> payload) {
    while (!payload.empty()) {
      log_.names.push_back(take_text(payload));
    }
  }

  void read_counts(std::span<const std::byte> payload) {
    const auto numbers = take<spool::CountNumbers>(payload);
    if (!numbers) {
      fail("holds cut counts");
    }
    log_.untimed = numbers->untimed;
    log_.dropped = numbers->dropped;
    log_.malformed = numbers->malformed;
    std::vector<std::uint64_t> pairs;
    append(payload.subspan(sizeof(spool::CountNumbers)), pairs);
    log_.unknown_kinds.clear();
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      log_.unknown_kinds[static_cast<std::uint32_t>(pairs[i])] = pairs[i + 1];
    }
  }

  void read_problem(std::span<const std::byte> payload) {
    summary_.problem = take_text(payload);
    summary_.problem_hint = take_text(payload);
  }

  MappedFile file_;
  std::string path_;
  std::size_t offset_ = 0;
  ActivityLog log_;
  SpoolSummary summary_;
};

}  // namespace

SpoolSummary read_spool(const std::filesystem::path& path,
                        const std::function<void(const SpoolSummary&, const ActivityLog&)>& take) {
  return SpoolReader(path).read(take);
}

SpoolSummary summarise_spool(const std::filesystem::path& path) {
  return read_spool(path, [](const SpoolSummary& /*so_far*/, const ActivityLog& /*log*/) {});
}

}  // namespace switchyard
