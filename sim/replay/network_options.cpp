// Lists (incast, links) are read entry by entry with Parameters of their own, so that a wrong key
// in the third entry is reported at .../links/2/<key>.
#include "sim/replay/network_options.hpp"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/suggestion.hpp"
#include "core/files/text_reader.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

template <class Entry, class Read>
std::vector<Entry> read_list(const json& list, const Location& where, const Read& read) {
  std::vector<Entry> entries;
  if (list.is_null()) {
    return entries;
  }
  if (!list.is_array()) {
    throw InvalidInput("wrong type: wanted a list of objects", where);
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    Parameters parameters(list[i], where.child(i));
    entries.push_back(read(parameters));
    parameters.finish();
  }
  return entries;
}

std::vector<IncastPoint> read_incast(const json& list, const Location& where) {
  auto points = read_list<IncastPoint>(list, where, [](Parameters& parameters) {
    IncastPoint point;
    point.flows = static_cast<std::int32_t>(parameters.require_integer(
        "flows", 8, {1, 1 << 20}, "transfers on the link at once, from which this point holds"));
    point.efficiency = parameters.get_number(
        "efficiency", 1, {1e-3, 1}, "share of the link's rate that they get together");
    return point;
  });
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].flows <= points[i - 1].flows || points[i].efficiency > points[i - 1].efficiency) {
      throw InvalidInput("points must ascend in flows and must not rise in efficiency",
                         where.child(i));
    }
  }
  return points;
}

std::vector<LinkChange> read_link_changes(const json& list, const Location& where) {
  return read_list<LinkChange>(list, where, [](Parameters& parameters) {
    LinkChange change;
    change.link = parameters.require_text("link", "node0.nic0->leaf0", "name of a directed link");
    change.bandwidth_factor = parameters.get_number(
        "bandwidth_factor", 1, {0, 1e6}, "0.5 = degraded to half, 2 = doubled, 0 = failed");
    change.background_load = parameters.get_bandwidth(
        "background_load", BytesPerSecond{0}, "rate taken by other traffic");
    return change;
  });
}

/// One duration a line; blank lines and what follows a # are passed over.
std::vector<Seconds> offsets_of_file(const std::string& path) {
  std::vector<Seconds> offsets;
  TextReader reader(path);
  std::string_view line;
  while (reader.next(line)) {
    line = line.substr(0, line.find('#'));
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos) {
      const std::size_t last = line.find_last_not_of(" \t");
      offsets.push_back(parse_duration(line.substr(first, last - first + 1), reader.where()));
    }
  }
  if (offsets.empty()) {
    throw InvalidInput("holds no start offset", {path, ""}, "one duration a line, such as 12us");
  }
  return offsets;
}

std::vector<Seconds> read_offsets(const json& given, const Location& where) {
  std::vector<Seconds> offsets;
  if (given.is_null()) {
    return offsets;
  }
  if (given.is_object()) {
    Parameters parameters(given, where);
    const std::string path =
        parameters.require_text("file", "offsets.txt", "text file of one duration per rank");
    parameters.finish();
    return offsets_of_file(path);
  }
  if (!given.is_array()) {
    throw InvalidInput("wrong type: wanted a list of durations, one per rank, or a file",
                       where,
                       R"(["0us", "12us"] or {"file": "offsets.txt"})");
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!given[i].is_string()) {
      throw InvalidInput(fmt::format("{} has no unit", given[i].dump()),
                         where.child(i),
                         fmt::format("try \"{}us\"", given[i].dump()));
    }
    offsets.push_back(parse_duration(given[i].get<std::string>(), where.child(i)));
  }
  return offsets;
}

StartSpread read_spread(const json& given, const Location& where) {
  StartSpread spread;
  if (given.is_null()) {
    return spread;
  }
  Parameters parameters(given, where);
  const Seconds none{0};
  const std::string name = parameters.require_text(
      "distribution", "exponential", "uniform, exponential, log_normal or stragglers");
  std::vector<std::string> names;
  for (const SpreadShape shape : {SpreadShape::Uniform,
                                  SpreadShape::Exponential,
                                  SpreadShape::LogNormal,
                                  SpreadShape::Stragglers}) {
    names.emplace_back(spread_shape_name(shape));
    if (names.back() == name) {
      spread.shape = shape;
    }
  }
  switch (spread.shape) {
    case SpreadShape::None:
      throw InvalidInput("no distribution is called \"" + name + "\"",
                         where.child("distribution"),
                         suggestion_hint(name, names));
    case SpreadShape::Uniform:
      spread.scale = parameters.get_duration("largest", none, "uniform: starts lie between 0 and");
      break;
    case SpreadShape::Exponential:
      spread.scale = parameters.get_duration("mean", none, "exponential: mean start");
      break;
    case SpreadShape::LogNormal:
      spread.scale = parameters.get_duration("median", none, "log_normal: median start");
      spread.sigma = parameters.get_number(
          "sigma", 1, {0, 10}, "log_normal: standard deviation of the logarithm");
      break;
    case SpreadShape::Stragglers:
      spread.scale = parameters.get_duration("delay", none, "stragglers: how late they are");
      spread.share =
          parameters.get_number("share", 0.1, {0, 1}, "stragglers: probability of being one");
      break;
  }
  spread.seed = static_cast<std::uint64_t>(parameters.get_integer(
      "seed", 0, {0, std::numeric_limits<std::int64_t>::max()}, "of the draws"));
  parameters.finish();
  return spread;
}

}  // namespace

NetworkOptions read_network_options(Parameters& parameters) {
  NetworkOptions options;
  const Seconds none{0};
  options.launch_overhead = parameters.get_duration(
      "launch_overhead", none, "once per collective, before its first transfer");
  options.start_up = parameters.get_duration(
      "start_up", none, "once per collective, partly hidden behind its transfers");
  options.start_up_overlap = parameters.get_number(
      "start_up_overlap",
      1,
      {1, 100},
      "1 = start_up comes on top, large = the longer of start-up and transfer counts");
  options.message_overhead = parameters.get_duration(
      "message_overhead", none, "LogGP o: least time between two message starts of a rank");
  options.message_gap = parameters.get_duration(
      "message_gap", none, "LogGP g: extra occupation of the path per message");
  options.flow_rate_cap = parameters.get_bandwidth(
      "flow_rate_cap", BytesPerSecond{0}, "no transfer is faster; 0Bps = no cap");
  options.outstanding = static_cast<std::int32_t>(
      parameters.get_integer("outstanding",
                             0,
                             {0, 1 << 20},
                             "transfers of one rank in flight at once; 0 = as the algorithm says"));
  const Location where = parameters.where();
  options.incast =
      read_incast(parameters.get_json(
                      "incast", "list of {flows, efficiency}: link efficiency under many flows"),
                  where.child("incast"));
  options.link_changes = read_link_changes(
      parameters.get_json("links", "list of {link, bandwidth_factor, background_load}"),
      where.child("links"));
  options.start_offsets =
      read_offsets(parameters.get_json("start_offsets",
                                       "list of durations, one per rank, or {file}: one a line"),
                   where.child("start_offsets"));
  options.start_spread =
      read_spread(parameters.get_json("start_spread",
                                      "{distribution, its figures, seed}: drawn for each rank and "
                                      "added; uniform {largest}, exponential {mean}, log_normal "
                                      "{median, sigma}, stragglers {delay, share}"),
                  where.child("start_spread"));
  options.exact_transfer_limit =
      parameters.get_integer("exact_transfer_limit",
                             options.exact_transfer_limit,
                             {0, std::int64_t{1} << 40},
                             "fluid: exact up to this many transfers, windows beyond");
  options.window_epsilon =
      parameters.get_number("window_epsilon",
                            options.window_epsilon,
                            {1e-6, 0.5},
                            "fluid: share of the transfers that end in one window");
  options.time_limit =
      parameters.get_duration("time_limit", options.time_limit, "simgrid: give up after this long");
  return options;
}

}  // namespace switchyard
