#include "profiler/cupti/cupti_session.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <unistd.h>

#include "core/check.hpp"
#include "profiler/cupti/activity_buffers.hpp"
#include "profiler/cupti/activity_decoder.hpp"
#include "profiler/cupti/cupti_library.hpp"
#include "profiler/cupti/driver_devices.hpp"

namespace switchyard {
namespace {

// Kernels and copies first: a session without them is worth nothing.
constexpr std::array kKinds{CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                            CUPTI_ACTIVITY_KIND_MEMCPY,
                            CUPTI_ACTIVITY_KIND_MEMCPY2,
                            CUPTI_ACTIVITY_KIND_MEMSET,
                            CUPTI_ACTIVITY_KIND_SYNCHRONIZATION,
                            CUPTI_ACTIVITY_KIND_MARKER,
                            CUPTI_ACTIVITY_KIND_RUNTIME,
                            CUPTI_ACTIVITY_KIND_OVERHEAD,
                            CUPTI_ACTIVITY_KIND_DEVICE};

// Programs that launch through the driver (Triton, most JIT compilers) have no runtime record to
// join a kernel to; recording every driver function would double the records of all others.
constexpr std::array kDriverLaunches{CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel,
                                     CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz,
                                     CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx,
                                     CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz,
                                     CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel,
                                     CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz,
                                     CUPTI_DRIVER_TRACE_CBID_cuGraphLaunch,
                                     CUPTI_DRIVER_TRACE_CBID_cuGraphLaunch_ptsz};

// The time stamps of CUPTI against the wall clock, from the tightest of a few readings.
std::int64_t clock_offset(const CuptiLibrary& library) {
  constexpr int kReadings = 5;
  constexpr std::int64_t kSecond = 1'000'000'000;
  const auto wall_clock = [] {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
  };
  std::int64_t offset = 0;
  std::int64_t tightest = std::numeric_limits<std::int64_t>::max();
  for (int reading = 0; reading < kReadings; ++reading) {
    std::uint64_t stamp = 0;
    const std::int64_t before = wall_clock();
    library.require(library.functions().timestamp(&stamp), "cuptiGetTimestamp");
    const std::int64_t after = wall_clock();
    if (after - before < tightest) {
      tightest = after - before;
      offset = before + tightest / 2 - static_cast<std::int64_t>(stamp);
    }
  }
  return offset;
}

// Everything that CUPTI's callbacks touch: one a process, never destroyed.
class Collector {
 public:
  static Collector& instance() {
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): CUPTI has no user data
    static Collector& collector = *new Collector;
    return collector;
  }

  CuptiStart start(ActivitySink& sink, const CuptiOptions& options);
  CuptiSummary finish() noexcept;

  void request(std::uint8_t** buffer, std::size_t* bytes, std::size_t* most_records) noexcept;
  void complete(std::uint8_t* buffer, std::size_t valid_bytes) noexcept;

 private:
  void tell_devices();
  void enable(const CuptiOptions& options);
  void disable() noexcept;
  void hand_over() noexcept;

  std::mutex mutex_;  // guards everything but the lender, which locks itself
  std::vector<std::unique_ptr<ActivityBuffers>> pools_;
  std::atomic<ActivityBuffers*> lender_ = nullptr;  // the newest pool
  // A library once opened stays open: see CuptiLibrary.
  std::optional<CuptiLibrary> library_;
  std::optional<ActivityDecoder> decoder_;
  ActivitySink* sink_ = nullptr;  // null = no session: late buffers are taken back unread
  pid_t owner_ = 0;               // a fork of the process has no session
  ActivityLog log_;
  CuptiSummary summary_;
};

void CUPTIAPI buffer_requested(std::uint8_t** buffer, std::size_t* bytes, std::size_t* records) {
  Collector::instance().request(buffer, bytes, records);
}

void CUPTIAPI buffer_completed(CUcontext /*context*/,
                               std::uint32_t /*stream*/,
                               std::uint8_t* buffer,
                               std::size_t /*bytes*/,
                               std::size_t valid_bytes) {
  Collector::instance().complete(buffer, valid_bytes);
}

CuptiStart Collector::start(ActivitySink& sink, const CuptiOptions& options) {
  CuptiStart start;
  {
    const std::lock_guard lock(mutex_);
    SWITCHYARD_CHECK(sink_ == nullptr, "one CUPTI session at a time");
    library_.emplace(options.library);
    decoder_.emplace(*library_);
    log_ = {};
    summary_ = {};
    owner_ = ::getpid();
    // Buffers of an earlier session may still be lent, so pools are kept.
    if (pools_.empty() || pools_.back()->bytes() != options.buffer_bytes ||
        pools_.back()->most() != options.most_buffers) {
      pools_.push_back(
          std::make_unique<ActivityBuffers>(options.buffer_bytes, options.most_buffers));
      lender_ = pools_.back().get();
    }
    start = {clock_offset(*library_), library_->version()};
    if (options.asks_driver) {
      tell_devices();
    }
    sink_ = &sink;
  }
  try {
    enable(options);
  } catch (...) {
    disable();
    const std::lock_guard lock(mutex_);
    sink_ = nullptr;
    throw;
  }
  return start;
}

void Collector::tell_devices() {
  for (DriverDevice& device : driver_devices()) {
    device.facts.name = decoder_->intern(device.name.c_str(), log_);
    log_.devices.push_back(device.facts);
  }
}

void Collector::enable(const CuptiOptions& options) {
  const CuptiFunctions& cupti = library_->functions();
  library_->require(cupti.register_callbacks(buffer_requested, buffer_completed),
                    "cuptiActivityRegisterCallbacks");
  for (const CUpti_ActivityKind kind : kKinds) {
    library_->require(cupti.enable(kind), "cuptiActivityEnable");
  }
  if (options.whole_graphs) {
    library_->require(cupti.enable(CUPTI_ACTIVITY_KIND_GRAPH_TRACE), "cuptiActivityEnable");
  }
  // Not in every CUPTI 12, and a refinement only.
  if (const auto one_function = library_->optional<decltype(&cuptiActivityEnableDriverApi)>(
          "cuptiActivityEnableDriverApi")) {
    for (const auto function : kDriverLaunches) {
      one_function(static_cast<CUpti_CallbackId>(function), 1);
    }
  }
  const auto flush_period =
      library_->optional<decltype(&cuptiActivityFlushPeriod)>("cuptiActivityFlushPeriod");
  if (options.flush_period_ms > 0 && flush_period) {
    flush_period(options.flush_period_ms);
  }
}

void Collector::disable() noexcept {
  const CuptiFunctions& cupti = library_->functions();
  for (const CUpti_ActivityKind kind : kKinds) {
    cupti.disable(kind);
  }
  cupti.disable(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
}

CuptiSummary Collector::finish() noexcept {
  if (::getpid() != owner_) {
    const std::lock_guard lock(mutex_);
    sink_ = nullptr;
    return summary_;
  }
  disable();
  // Calls complete() on this thread or on CUPTI's: no lock may be held.
  library_->functions().flush_all(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  const std::lock_guard lock(mutex_);
  std::size_t dropped = 0;
  if (library_->functions().dropped_records(nullptr, 0, &dropped) == CUPTI_SUCCESS) {
    log_.dropped += dropped;
  }
  hand_over();
  sink_ = nullptr;
  return summary_;
}

void Collector::request(std::uint8_t** buffer,
                        std::size_t* bytes,
                        std::size_t* most_records) noexcept {
  ActivityBuffers* const lender = lender_;
  *buffer = lender == nullptr ? nullptr : lender->lend();
  *bytes = *buffer == nullptr ? 0 : lender->bytes();
  *most_records = 0;  // as many as fit
}

void Collector::complete(std::uint8_t* buffer, std::size_t valid_bytes) noexcept {
  const std::lock_guard lock(mutex_);
  if (sink_ != nullptr && ::getpid() == owner_) {
    try {
      decoder_->decode(buffer, valid_bytes, log_);
      ++summary_.buffers;
    } catch (const std::exception&) {
      ++log_.malformed;  // out of memory: what was decoded before stays
    }
    hand_over();
  }
  std::any_of(
      pools_.begin(), pools_.end(), [buffer](const auto& pool) { return pool->give_back(buffer); });
}

// An exception must not reach CUPTI, and one bad write must not end the program under observation.
void Collector::hand_over() noexcept {
  const std::size_t records = log_.records.size();
  try {
    sink_->take(log_);
    summary_.records += records;
  } catch (const std::exception&) {
    log_.dropped += records;
  }
  log_.records.clear();
  log_.devices.clear();
}

}  // namespace

CuptiSession::CuptiSession(ActivitySink& sink, const CuptiOptions& options)
    : start_(Collector::instance().start(sink, options)) {}

CuptiSession::~CuptiSession() {
  if (!is_finished_) {
    finish();
  }
}

CuptiSummary CuptiSession::finish() noexcept {
  is_finished_ = true;
  return Collector::instance().finish();
}

}  // namespace switchyard
