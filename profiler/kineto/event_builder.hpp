// Turns the texts of a Kineto trace event into an event of the timeline.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "profiler/event_timeline.hpp"
#include "profiler/kineto/trace_event.hpp"

namespace switchyard {

class KinetoEventBuilder {
 public:
  /// Adds a process to `sink`. `rank` -1: taken from the trace, else from the file's name.
  KinetoEventBuilder(const std::filesystem::path& path, TimelineSink& sink, std::int32_t rank);

  /// Whether events of a category become events of the timeline; others are counted only.
  static bool knows(std::string_view category);
  void add(const KinetoEvent& event);
  void add(const TimelineDevice& device);
  /// "baseTimeNanoseconds": Unix time of the clock's zero.
  void set_epoch(std::string_view text, const Location& where);
  /// A value of "distributedInfo".
  void set_distributed(const std::string& key, std::string_view text, const Location& where);
  /// A value of one of "deviceProperties".
  static void set_device(TimelineDevice& device, const std::string& key, std::string_view text);
  /// Settles the rank and checks that anything was there.
  void finish();

 private:
  [[nodiscard]] TimelineProcess& process();
  [[nodiscard]] Location where(const KinetoEvent& event) const;
  [[nodiscard]] std::int64_t whole(const KinetoEvent& event, KinetoField field) const;
  [[nodiscard]] std::int64_t time_ns(const KinetoEvent& event, KinetoField field) const;
  [[nodiscard]] NameId intern(const KinetoEvent& event, std::string_view text);
  void place(const KinetoEvent& event, TimelineEvent& to);
  void add_collective(const KinetoEvent& event, TimelineEvent& to);
  [[nodiscard]] bool is_whole(const KinetoEvent& event, const TimelineEvent& built);
  void leave_out(std::string_view category, std::string_view phase);

  struct LeftOut {
    std::string category;
    std::string phase;
    std::int64_t count = 0;
  };

  std::filesystem::path path_;
  TimelineSink& sink_;
  std::uint16_t process_;
  std::int32_t rank_;
  std::int64_t events_ = 0;
  std::vector<LeftOut> left_out_;  // a handful of categories
};

}  // namespace switchyard
