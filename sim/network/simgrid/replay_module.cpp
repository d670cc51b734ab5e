// The only file that sees SimGrid. Replays a schedule in CM02 with everything that models TCP
// switched off. Times inside are microseconds: SimGrid's precisions are absolute, and seconds would
// merge events nanoseconds apart. Latency, windows, overheads and start offsets are kept outside
// of SimGrid, around transfers over links of no latency: CM02 would share links by 1 / latency.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <queue>
#include <string>
#include <tuple>
#include <vector>

#include <simgrid/kernel/Timer.hpp>
#include <simgrid/kernel/routing/NetPoint.hpp>
#include <simgrid/kernel/routing/NetZoneImpl.hpp>
#include <simgrid/s4u.hpp>

#include "sim/network/simgrid/replay.hpp"

namespace switchyard {
namespace {

namespace s4u = simgrid::s4u;
namespace routing = simgrid::kernel::routing;

constexpr double kMicrosecond = 1e-6;

/// Answers routes from our table, so that no n x n routes are stored twice.
class TableZone final : public routing::NetZoneImpl {
 public:
  TableZone(const std::string& name, const RouteTable& routes)
      : NetZoneImpl(name), routes_(routes) {}

  void get_local_route(const routing::NetPoint* source,
                       const routing::NetPoint* destination,
                       routing::Route* into,
                       double* /*latency*/) override {
    // Hosts are created in rank order and are the zone's only net points.
    for (const Hop& hop : routes_.hops(source->id(), destination->id())) {
      into->link_list_.push_back(links[hop.link.index()]->get_impl());
    }
    if (flow_cap != nullptr) {
      into->link_list_.push_back(flow_cap->get_impl());
    }
  }

  std::vector<s4u::Link*> links;  // [links]; null where no route leads
  s4u::Link* flow_cap = nullptr;  // crossed by every route, capping each transfer alone

 private:
  const RouteTable& routes_;
};

/// The incast curve as SimGrid's callback wants it.
double shared_rate(const std::vector<IncastPoint>& curve, double rate, int flows) {
  double efficiency = 1;
  for (const IncastPoint& point : curve) {
    if (flows >= point.flows) {
      efficiency = point.efficiency;
    }
  }
  return rate * efficiency;
}

class Replayer {
 public:
  explicit Replayer(const SimgridReplay& replay);
  void run();

 private:
  enum class Event { Finish, Enter, MayIssue };  // at one instant, in this order

  struct Due {
    double date;
    Event event;
    std::uint32_t subject;  // transfer, or rank

    bool operator>(const Due& other) const {
      return std::tie(date, event, subject) > std::tie(other.date, other.event, other.subject);
    }
  };

  template <class T>
  using Earliest = std::priority_queue<T, std::vector<T>, std::greater<>>;

  struct Rank {
    Earliest<std::uint32_t> ready;  // transfers, lowest index first
    bool has_entered = false;
    std::int32_t in_flight = 0;
    double next_issue = 0;  // not before this date
  };

  void build_platform();
  [[nodiscard]] double route_rate(std::size_t transfer) const;
  [[nodiscard]] std::uint64_t payload(std::size_t transfer) const;
  void expect(double date, Event event, std::uint32_t subject);
  void on_time();
  void make_ready(std::uint32_t transfer);
  void issue_what_can_go(std::uint32_t rank);
  void start(std::uint32_t transfer);
  void on_drained(std::uint32_t transfer);
  void finish(std::uint32_t transfer);

  [[nodiscard]] std::size_t source(std::size_t transfer) const {
    return static_cast<std::size_t>(schedule_.source[transfer]);
  }

  [[nodiscard]] std::size_t destination(std::size_t transfer) const {
    return static_cast<std::size_t>(schedule_.destination[transfer]);
  }

  [[nodiscard]] double messages(std::size_t transfer) const {
    return schedule_.messages.empty() ? 1.0 : schedule_.messages[transfer];
  }

  const SimgridReplay& replay_;
  const Schedule& schedule_;
  const NetworkOptions& options_;
  s4u::Engine& engine_;
  std::vector<s4u::Host*> hosts_;                       // [ranks]
  std::vector<Rank> ranks_;                             // [ranks]
  std::vector<std::uint32_t> missing_;                  // [transfers] dependencies not finished yet
  std::vector<std::vector<std::uint32_t>> dependents_;  // [transfers]
  std::vector<std::uint32_t> numbers_;                  // [transfers] what SimGrid carries for us
  std::vector<s4u::CommPtr> live_;                      // [transfers]
  std::vector<s4u::CommPtr> drained_;                   // kept until SimGrid has let go of them
  Earliest<Due> due_;
  std::int32_t window_;
  double payload_scale_ = 1;  // SimGrid's sizes are integers; gap bytes are not
};

Replayer::Replayer(const SimgridReplay& replay)
    : replay_(replay),
      schedule_(*replay.schedule),
      options_(*replay.options),
      engine_(*s4u::Engine::get_instance()),
      ranks_(schedule_.rank_count),
      missing_(schedule_.transfer_count(), 0),
      dependents_(schedule_.transfer_count()),
      numbers_(schedule_.transfer_count()),
      live_(schedule_.transfer_count()),
      window_(options_.outstanding > 0 ? options_.outstanding : schedule_.outstanding) {
  std::iota(numbers_.begin(), numbers_.end(), 0U);
  double longest = 1;
  for (std::uint32_t i = 0; i < schedule_.transfer_count(); ++i) {
    missing_[i] = static_cast<std::uint32_t>(schedule_.dependencies_of(i).size());
    for (const std::uint32_t earlier : schedule_.dependencies_of(i)) {
      dependents_[earlier].push_back(i);
    }
    longest = std::max(longest,
                       static_cast<double>(schedule_.bytes[i]) +
                           options_.message_gap.count() * messages(i) * route_rate(i));
  }
  if (options_.message_gap.count() > 0) {
    // As fine as a double's 53 bits allow.
    payload_scale_ = std::max(1.0, std::exp2(51 - std::ceil(std::log2(longest))));
  }
  build_platform();
}

void Replayer::build_platform() {
  auto* zone = new TableZone("fabric", *replay_.routes);  // owned by the engine
  s4u::NetZone* face = zone->get_iface();
  for (std::size_t rank = 0; rank < schedule_.rank_count; ++rank) {
    hosts_.push_back(face->create_host("rank" + std::to_string(rank), 1e9));
  }
  const double scale = payload_scale_ * kMicrosecond;
  for (std::size_t link = 0; link < replay_.rates.size(); ++link) {
    const double rate = replay_.rates[link];
    // No transfer crosses a failed link (checked before), but SimGrid wants a bandwidth.
    s4u::Link* made =
        face->create_link("link" + std::to_string(link), rate > 0 ? rate * scale : 1.0);
    made->set_latency(0);
    if (!options_.incast.empty()) {
      const std::vector<IncastPoint>& curve = options_.incast;
      made->set_sharing_policy(
          s4u::Link::SharingPolicy::NONLINEAR,
          [&curve](double full, int flows) { return shared_rate(curve, full, flows); });
    }
    made->seal();
    zone->links.push_back(made);
  }
  if (options_.flow_rate_cap.value > 0) {
    zone->flow_cap = face->create_link("cap", options_.flow_rate_cap.value * scale);
    zone->flow_cap->set_latency(0);
    zone->flow_cap->set_sharing_policy(s4u::Link::SharingPolicy::FATPIPE);
    zone->flow_cap->seal();
  }
  face->seal();
}

double Replayer::route_rate(std::size_t transfer) const {
  double rate = std::numeric_limits<double>::infinity();
  for (const Hop& hop : replay_.routes->hops(source(transfer), destination(transfer))) {
    rate = std::min(rate, replay_.rates[hop.link.index()]);
  }
  return rate;
}

std::uint64_t Replayer::payload(std::size_t transfer) const {
  const double gap = options_.message_gap.count() * messages(transfer);
  const double occupied =
      static_cast<double>(schedule_.bytes[transfer]) + (gap > 0 ? gap * route_rate(transfer) : 0);
  return static_cast<std::uint64_t>(std::llround(occupied * payload_scale_));
}

void Replayer::expect(double date, Event event, std::uint32_t subject) {
  due_.push({date, event, subject});
  simgrid::kernel::timer::Timer::set(date, [this] { on_time(); });
}

void Replayer::on_time() {
  drained_.clear();
  const double now = s4u::Engine::get_clock();
  while (!due_.empty() && due_.top().date <= now) {
    const Due next = due_.top();
    due_.pop();
    switch (next.event) {
      case Event::Finish:
        finish(next.subject);
        break;
      case Event::Enter:
        ranks_[next.subject].has_entered = true;
        issue_what_can_go(next.subject);
        break;
      case Event::MayIssue:
        issue_what_can_go(next.subject);
        break;
    }
  }
}

void Replayer::make_ready(std::uint32_t transfer) {
  const auto rank = static_cast<std::uint32_t>(source(transfer));
  ranks_[rank].ready.push(transfer);
  if (ranks_[rank].has_entered) {
    due_.push({s4u::Engine::get_clock(), Event::MayIssue, rank});
  }
}

void Replayer::issue_what_can_go(std::uint32_t rank_index) {
  Rank& rank = ranks_[rank_index];
  const double now = s4u::Engine::get_clock();
  while (!rank.ready.empty() && (window_ == 0 || rank.in_flight < window_)) {
    if (rank.next_issue > now) {
      expect(rank.next_issue, Event::MayIssue, rank_index);
      return;
    }
    const std::uint32_t transfer = rank.ready.top();
    rank.ready.pop();
    ++rank.in_flight;
    rank.next_issue = now + options_.message_overhead.count() / kMicrosecond * messages(transfer);
    start(transfer);
  }
}

void Replayer::start(std::uint32_t transfer) {
  replay_.start_s[transfer] = s4u::Engine::get_clock() * kMicrosecond;
  s4u::CommPtr comm =
      s4u::Comm::sendto_init(hosts_[source(transfer)], hosts_[destination(transfer)]);
  comm->set_payload_size(payload(transfer));
  comm->set_data(&numbers_[transfer]);
  comm->start();
  live_[transfer] = comm;
}

void Replayer::on_drained(std::uint32_t transfer) {
  drained_.push_back(std::move(live_[transfer]));
  const Seconds latency = replay_.routes->latency(source(transfer), destination(transfer));
  expect(s4u::Engine::get_clock() + latency.count() / kMicrosecond, Event::Finish, transfer);
}

void Replayer::finish(std::uint32_t transfer) {
  const double now = s4u::Engine::get_clock();
  replay_.finish_s[transfer] = now * kMicrosecond;
  const auto rank = static_cast<std::uint32_t>(source(transfer));
  --ranks_[rank].in_flight;
  if (window_ > 0) {
    due_.push({now, Event::MayIssue, rank});
  }
  for (const std::uint32_t later : dependents_[transfer]) {
    if (--missing_[later] == 0) {
      make_ready(later);
    }
  }
}

void Replayer::run() {
  s4u::Activity::on_completion_cb([this](const s4u::Activity& activity) {
    if (const auto* number = activity.get_data<std::uint32_t>()) {
      on_drained(*number);
    }
  });
  for (std::uint32_t i = 0; i < schedule_.transfer_count(); ++i) {
    if (missing_[i] == 0) {
      make_ready(i);
    }
  }
  const std::vector<double> entries = rank_entries(schedule_.rank_count, options_);
  for (std::uint32_t rank = 0; rank < entries.size(); ++rank) {
    expect(entries[rank] / kMicrosecond, Event::Enter, rank);
  }
  engine_.run();
}

}  // namespace
}  // namespace switchyard

extern "C" void switchyard_simgrid_replay(const switchyard::SimgridReplay& replay) {
  char name[] = "switchyard";
  char log[] = "--log=root.thresh:critical";
  char* arguments[] = {name, log, nullptr};
  int count = 2;
  const simgrid::s4u::Engine engine(&count, arguments);
  for (const char* setting :
       {"network/model:CM02",
        "network/optim:Full",
        "network/crosstraffic:0",
        // The TCP window's bound. Zero would also drop it, but with it all rate caps.
        "network/TCP-gamma:1e300",
        "maxmin/precision:1e-12",
        "surf/precision:1e-12"}) {
    simgrid::s4u::Engine::set_config(setting);
  }
  switchyard::Replayer(replay).run();
}
