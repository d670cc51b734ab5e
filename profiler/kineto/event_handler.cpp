// Only keys that matter are looked at: most of a trace is the arguments of CPU operators.
#include "profiler/kineto/event_handler.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard {
namespace {

std::optional<KinetoField> find_field(std::string_view name, bool is_argument) {
  const auto* const begin = kKinetoKeys.begin() + (is_argument ? kFirstArgument : 0);
  const auto* const end = is_argument ? kKinetoKeys.end() : kKinetoKeys.begin() + kFirstArgument;
  const auto* const found = std::find(begin, end, name);
  return found == end ? std::nullopt
                      : std::optional(static_cast<KinetoField>(found - kKinetoKeys.begin()));
}

}  // namespace

KinetoHandler::Place KinetoHandler::place_of_child(bool is_array) const {
  switch (place_) {
    case Place::Root:
      if (is_array) {
        return key_ == "traceEvents"        ? Place::Events
               : key_ == "deviceProperties" ? Place::Devices
                                            : Place::Skipped;
      }
      return key_ == "distributedInfo" ? Place::Distributed : Place::Skipped;
    case Place::Events:
      return is_array ? Place::Skipped : Place::Event;
    case Place::Devices:
      return is_array ? Place::Skipped : Place::Device;
    case Place::Event:
      return !is_array && !is_ignored_ && key_ == "args" ? Place::Arguments : Place::Skipped;
    default:
      return Place::Skipped;
  }
}

bool KinetoHandler::open(bool is_array) {
  ++depth_;
  wants_value_ = false;
  if (depth_ == 1) {
    has_started_ = true;
    if (is_array) {
      throw InvalidInput("is a list: wanted an object with \"traceEvents\"", stream_.where());
    }
    return true;
  }
  if (place_ == Place::Skipped) {
    return true;
  }
  const Place child = place_of_child(is_array);
  if (child == Place::Skipped) {
    skipped_from_ = depth_;
  } else if (child == Place::Event) {
    event_.clear();
    is_ignored_ = false;
    event_.offset = stream_.Tell();
  } else if (child == Place::Device) {
    device_ = {};
  } else if (child == Place::Events) {
    if (has_events_) {
      throw InvalidInput("the key \"traceEvents\" is there twice", stream_.where());
    }
    has_events_ = true;
  }
  // A skipped value returns to where it lay; see close().
  if (child != Place::Skipped) {
    place_ = child;
    key_.clear();
  } else {
    skipped_in_ = place_;
    place_ = Place::Skipped;
  }
  return true;
}

bool KinetoHandler::close() {
  --depth_;
  switch (place_) {
    case Place::Skipped:
      if (depth_ < skipped_from_) {
        place_ = skipped_in_;
      }
      return true;
    case Place::Arguments:
      place_ = Place::Event;
      return true;
    case Place::Event:
      builder_.add(event_);
      place_ = Place::Events;
      return true;
    case Place::Device:
      builder_.add(device_);
      place_ = Place::Devices;
      return true;
    default:
      place_ = Place::Root;
      if (depth_ == 0 && !has_events_) {
        throw InvalidInput("has no \"traceEvents\"", stream_.where());
      }
      return true;
  }
}

void KinetoHandler::choose_field(std::string_view name, bool is_argument) {
  const auto field = find_field(name, is_argument);
  wants_value_ = field.has_value();
  if (!field) {
    return;
  }
  field_ = *field;
  if (event_.has(field_)) {
    throw InvalidInput(fmt::format("the key \"{}\" is twice in one event", name), stream_.where());
  }
}

bool KinetoHandler::key(std::string_view name) {
  switch (place_) {
    case Place::Event:
      // Of an event that is only counted, no more than the phase matters.
      if (is_ignored_ && name != "ph") {
        key_.clear();
        wants_value_ = false;
        return true;
      }
      key_.assign(name);
      choose_field(name, false);
      return true;
    case Place::Arguments:
      choose_field(name, true);
      return true;
    case Place::Skipped:
      return true;
    default:
      key_.assign(name);
      return true;
  }
}

bool KinetoHandler::scalar(std::string_view text) {
  if (depth_ == 0) {
    has_started_ = true;
    throw InvalidInput("is no trace: wanted an object with \"traceEvents\"", stream_.where());
  }
  switch (place_) {
    case Place::Event:
    case Place::Arguments:
      if (wants_value_) {
        event_.set(field_, text);
        wants_value_ = false;
        is_ignored_ =
            is_ignored_ || (field_ == KinetoField::Category && !KinetoEventBuilder::knows(text));
      }
      return true;
    case Place::Root:
      if (key_ == "baseTimeNanoseconds") {
        builder_.set_epoch(text, stream_.where());
      }
      return true;
    case Place::Distributed:
      builder_.set_distributed(key_, text, stream_.where());
      return true;
    case Place::Device:
      builder_.set_device(device_, key_, text);
      return true;
    default:
      return true;
  }
}

}  // namespace switchyard
