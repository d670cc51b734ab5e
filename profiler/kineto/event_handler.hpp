// Walks a Kineto document as RapidJSON's events arrive and hands each trace event to the builder.
#pragma once

#include <string>
#include <string_view>

#include "profiler/json_stream.hpp"
#include "profiler/kineto/event_builder.hpp"
#include "profiler/kineto/trace_event.hpp"

namespace switchyard {

class KinetoHandler {
 public:
  KinetoHandler(const JsonStream& stream, KinetoEventBuilder& builder)
      : stream_(stream), builder_(builder) {}

  /// Whether the document has ended.
  [[nodiscard]] bool is_complete() const { return depth_ == 0 && has_started_; }

  // RapidJSON's SAX concept; its names are given.
  // NOLINTBEGIN(readability-identifier-naming)
  bool Null() { return scalar({}); }

  bool Bool(bool value) { return scalar(value ? "true" : "false"); }

  bool Int(int /*value*/) { return true; }

  bool Uint(unsigned /*value*/) { return true; }

  bool Int64(std::int64_t /*value*/) { return true; }

  bool Uint64(std::uint64_t /*value*/) { return true; }

  bool Double(double /*value*/) { return true; }

  bool RawNumber(const char* text, unsigned length, bool /*copy*/) {
    return scalar({text, length});
  }

  bool String(const char* text, unsigned length, bool /*copy*/) { return scalar({text, length}); }

  bool Key(const char* text, unsigned length, bool /*copy*/) { return key({text, length}); }

  bool StartObject() { return open(false); }

  bool EndObject(unsigned /*members*/) { return close(); }

  bool StartArray() { return open(true); }

  bool EndArray(unsigned /*elements*/) { return close(); }

  // NOLINTEND(readability-identifier-naming)

 private:
  // Where in the document a value lies; everything else is skipped.
  enum class Place { Root, Events, Event, Arguments, Distributed, Devices, Device, Skipped };

  bool open(bool is_array);
  bool close();
  bool key(std::string_view name);
  bool scalar(std::string_view text);
  void choose_field(std::string_view name, bool is_argument);
  [[nodiscard]] Place place_of_child(bool is_array) const;

  const JsonStream& stream_;
  KinetoEventBuilder& builder_;
  KinetoEvent event_;
  TimelineDevice device_;
  Place place_ = Place::Root;
  std::size_t depth_ = 0;
  std::size_t skipped_from_ = 0;    // depth at which skipping began
  Place skipped_in_ = Place::Root;  // and where
  bool has_started_ = false;
  bool has_events_ = false;
  bool is_ignored_ = false;   // the event is of a category that is only counted
  bool wants_value_ = false;  // the next scalar belongs to field_
  KinetoField field_ = KinetoField::Phase;
  std::string key_;  // latest key outside events
};

}  // namespace switchyard
