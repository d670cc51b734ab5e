#include "profiler/cupti/hardware_counters.hpp"

#include <cstdint>
#include <optional>

#include <cupti.h>
#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>
#include <cupti_range_profiler.h>
#include <cupti_target.h>
#include <dlfcn.h>

#include "core/error.hpp"
#include "profiler/cupti/cupti_library.hpp"

namespace switchyard {
namespace {

// Calls `name` of the library with a parameter structure, whose size says which fields it has.
template <class Function, class Parameters>
void call(const CuptiLibrary& library, const char* name, std::size_t size, Parameters& parameters) {
  const auto function = library.optional<Function>(name);
  if (function == nullptr) {
    throw MissingCapability(std::string("this CUPTI has no ") + name,
                            {library.path(), ""},
                            "hardware counters need CUPTI 12.6 or later");
  }
  parameters.structSize = size;
  library.require(function(&parameters), name);
}

// The Range Profiler's calls all look alike: name, declaration and size belong together.
#define SWITCHYARD_COUNTER_CALL(library, function, Parameters, parameters) \
  call<decltype(&(function))>((library), #function, Parameters##_STRUCT_SIZE, (parameters))

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> result;
  result.reserve(texts.size());
  for (const std::string& text : texts) {
    result.push_back(text.c_str());
  }
  return result;
}

/// The host side: which counters, in how many passes, and what they come to.
class CounterSchedule {
 public:
  /// `availability`: what the device can count now; empty = what the chip can.
  CounterSchedule(const CuptiLibrary& library,
                  const CounterGroup& group,
                  const std::string& chip,
                  const std::vector<std::uint8_t>& availability)
      : library_(library), names_(pointers(group.counters)) {
    CUpti_Profiler_Host_Initialize_Params start{};
    start.profilerType = CUPTI_PROFILER_TYPE_RANGE_PROFILER;
    start.pChipName = chip.c_str();
    start.pCounterAvailabilityImage = availability.empty() ? nullptr : availability.data();
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiProfilerHostInitialize, CUpti_Profiler_Host_Initialize_Params, start);
    host_ = start.pHostObject;
    try {
      make_image();
    } catch (...) {
      release();
      throw;
    }
  }

  CounterSchedule(const CounterSchedule&) = delete;
  CounterSchedule& operator=(const CounterSchedule&) = delete;
  CounterSchedule(CounterSchedule&&) = delete;
  CounterSchedule& operator=(CounterSchedule&&) = delete;

  ~CounterSchedule() { release(); }

  [[nodiscard]] const std::vector<std::uint8_t>& image() const { return image_; }

  [[nodiscard]] std::vector<const char*>& names() { return names_; }

  [[nodiscard]] std::size_t passes() {
    CUpti_Profiler_Host_GetNumOfPasses_Params passes{};
    passes.configImageSize = image_.size();
    passes.pConfigImage = image_.data();
    SWITCHYARD_COUNTER_CALL(library_,
                            cuptiProfilerHostGetNumOfPasses,
                            CUpti_Profiler_Host_GetNumOfPasses_Params,
                            passes);
    return passes.numOfPasses;
  }

  [[nodiscard]] std::vector<double> evaluate(const std::vector<std::uint8_t>& counted) {
    std::vector<double> values(names_.size());
    CUpti_Profiler_Host_EvaluateToGpuValues_Params evaluation{};
    evaluation.pHostObject = host_;
    evaluation.pCounterDataImage = counted.data();
    evaluation.counterDataImageSize = counted.size();
    evaluation.rangeIndex = 0;
    evaluation.ppMetricNames = names_.data();
    evaluation.numMetrics = names_.size();
    evaluation.pMetricValues = values.data();
    SWITCHYARD_COUNTER_CALL(library_,
                            cuptiProfilerHostEvaluateToGpuValues,
                            CUpti_Profiler_Host_EvaluateToGpuValues_Params,
                            evaluation);
    return values;
  }

 private:
  void make_image() {
    CUpti_Profiler_Host_ConfigAddMetrics_Params metrics{};
    metrics.pHostObject = host_;
    metrics.ppMetricNames = names_.data();
    metrics.numMetrics = names_.size();
    SWITCHYARD_COUNTER_CALL(library_,
                            cuptiProfilerHostConfigAddMetrics,
                            CUpti_Profiler_Host_ConfigAddMetrics_Params,
                            metrics);
    CUpti_Profiler_Host_GetConfigImageSize_Params size{};
    size.pHostObject = host_;
    SWITCHYARD_COUNTER_CALL(library_,
                            cuptiProfilerHostGetConfigImageSize,
                            CUpti_Profiler_Host_GetConfigImageSize_Params,
                            size);
    image_.resize(size.configImageSize);
    CUpti_Profiler_Host_GetConfigImage_Params image{};
    image.pHostObject = host_;
    image.configImageSize = image_.size();
    image.pConfigImage = image_.data();
    SWITCHYARD_COUNTER_CALL(library_,
                            cuptiProfilerHostGetConfigImage,
                            CUpti_Profiler_Host_GetConfigImage_Params,
                            image);
  }

  void release() noexcept {
    const auto release_host = library_.optional<decltype(&cuptiProfilerHostDeinitialize)>(
        "cuptiProfilerHostDeinitialize");
    if (release_host != nullptr) {
      CUpti_Profiler_Host_Deinitialize_Params end{};
      end.structSize = CUpti_Profiler_Host_Deinitialize_Params_STRUCT_SIZE;
      end.pHostObject = host_;
      release_host(&end);
    }
  }

  const CuptiLibrary& library_;
  std::vector<const char*> names_;
  CUpti_Profiler_Host_Object* host_ = nullptr;
  std::vector<std::uint8_t> image_;
};

/// The device side: counts one range, pass by pass.
class RangeCounter {
 public:
  RangeCounter(const CuptiLibrary& library, CUcontext context) : library_(library) {
    CUpti_RangeProfiler_Enable_Params enable{};
    enable.ctx = context;
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiRangeProfilerEnable, CUpti_RangeProfiler_Enable_Params, enable);
    profiler_ = enable.pRangeProfilerObject;
  }

  RangeCounter(const RangeCounter&) = delete;
  RangeCounter& operator=(const RangeCounter&) = delete;
  RangeCounter(RangeCounter&&) = delete;
  RangeCounter& operator=(RangeCounter&&) = delete;

  ~RangeCounter() {
    const auto disable =
        library_.optional<decltype(&cuptiRangeProfilerDisable)>("cuptiRangeProfilerDisable");
    CUpti_RangeProfiler_Disable_Params end{};
    end.structSize = CUpti_RangeProfiler_Disable_Params_STRUCT_SIZE;
    end.pRangeProfilerObject = profiler_;
    disable(&end);
  }

  /// The counter data image after all passes.
  std::vector<std::uint8_t> count(CounterSchedule& schedule, const std::function<void()>& work) {
    std::vector<std::uint8_t> counted = empty_image(schedule);
    configure(schedule, counted);
    CUpti_RangeProfiler_Stop_Params stop{};
    do {
      run_pass(work, stop);
    } while (stop.isAllPassSubmitted == 0);
    CUpti_RangeProfiler_DecodeData_Params decode{};
    decode.pRangeProfilerObject = profiler_;
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiRangeProfilerDecodeData, CUpti_RangeProfiler_DecodeData_Params, decode);
    return counted;
  }

 private:
  std::vector<std::uint8_t> empty_image(CounterSchedule& schedule) {
    CUpti_RangeProfiler_GetCounterDataSize_Params size{};
    size.pRangeProfilerObject = profiler_;
    size.pMetricNames = schedule.names().data();
    size.numMetrics = schedule.names().size();
    size.maxNumOfRanges = 1;
    size.maxNumRangeTreeNodes = 1;
    SWITCHYARD_COUNTER_CALL(library_,
                            cuptiRangeProfilerGetCounterDataSize,
                            CUpti_RangeProfiler_GetCounterDataSize_Params,
                            size);
    std::vector<std::uint8_t> image(size.counterDataSize);
    CUpti_RangeProfiler_CounterDataImage_Initialize_Params clear{};
    clear.pRangeProfilerObject = profiler_;
    clear.counterDataSize = image.size();
    clear.pCounterData = image.data();
    SWITCHYARD_COUNTER_CALL(library_,
                            cuptiRangeProfilerCounterDataImageInitialize,
                            CUpti_RangeProfiler_CounterDataImage_Initialize_Params,
                            clear);
    return image;
  }

  void configure(const CounterSchedule& schedule, std::vector<std::uint8_t>& counted) {
    CUpti_RangeProfiler_SetConfig_Params config{};
    config.pRangeProfilerObject = profiler_;
    config.configSize = schedule.image().size();
    config.pConfig = schedule.image().data();
    config.counterDataImageSize = counted.size();
    config.pCounterDataImage = counted.data();
    config.range = CUPTI_UserRange;
    config.replayMode = CUPTI_UserReplay;
    config.maxRangesPerPass = 1;
    config.numNestingLevels = 1;
    config.minNestingLevel = 1;
    config.passIndex = 0;
    config.targetNestingLevel = 1;
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiRangeProfilerSetConfig, CUpti_RangeProfiler_SetConfig_Params, config);
  }

  void run_pass(const std::function<void()>& work, CUpti_RangeProfiler_Stop_Params& stop) {
    CUpti_RangeProfiler_Start_Params start{};
    start.pRangeProfilerObject = profiler_;
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiRangeProfilerStart, CUpti_RangeProfiler_Start_Params, start);
    CUpti_RangeProfiler_PushRange_Params push{};
    push.pRangeProfilerObject = profiler_;
    push.pRangeName = "work";
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiRangeProfilerPushRange, CUpti_RangeProfiler_PushRange_Params, push);
    work();
    CUpti_RangeProfiler_PopRange_Params pop{};
    pop.pRangeProfilerObject = profiler_;
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiRangeProfilerPopRange, CUpti_RangeProfiler_PopRange_Params, pop);
    stop = {};
    stop.pRangeProfilerObject = profiler_;
    SWITCHYARD_COUNTER_CALL(
        library_, cuptiRangeProfilerStop, CUpti_RangeProfiler_Stop_Params, stop);
  }

  const CuptiLibrary& library_;
  CUpti_RangeProfiler_Object* profiler_ = nullptr;
};

// Through the driver library, which is there if anything ran on the GPU.
CUcontext current_context() {
  using GetContext = int (*)(CUcontext*);
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto get =
      driver == nullptr ? nullptr : reinterpret_cast<GetContext>(dlsym(driver, "cuCtxGetCurrent"));
  CUcontext context = nullptr;
  if (get == nullptr || get(&context) != 0 || context == nullptr) {
    throw MissingCapability("hardware counters need work on a GPU: there is no CUDA context",
                            {},
                            "see switchyard doctor");
  }
  return context;
}

std::string chip_name(const CuptiLibrary& library) {
  CUpti_Device_GetChipName_Params chip{};
  chip.deviceIndex = 0;
  SWITCHYARD_COUNTER_CALL(library, cuptiDeviceGetChipName, CUpti_Device_GetChipName_Params, chip);
  return chip.pChipName;
}

std::vector<std::uint8_t> availability(const CuptiLibrary& library, CUcontext context) {
  CUpti_Profiler_GetCounterAvailability_Params query{};
  query.ctx = context;
  SWITCHYARD_COUNTER_CALL(library,
                          cuptiProfilerGetCounterAvailability,
                          CUpti_Profiler_GetCounterAvailability_Params,
                          query);
  std::vector<std::uint8_t> image(query.counterAvailabilityImageSize);
  query.pCounterAvailabilityImage = image.data();
  SWITCHYARD_COUNTER_CALL(library,
                          cuptiProfilerGetCounterAvailability,
                          CUpti_Profiler_GetCounterAvailability_Params,
                          query);
  return image;
}

std::string unit_of(const std::string& counter) {
  return counter.find("pct") != std::string::npos ? "percent" : "bytes";
}

}  // namespace

const std::vector<CounterGroup>& counter_groups() {
  static const std::vector<CounterGroup> kGroups{
      {"occupancy and device memory",
       {"sm__warps_active.avg.pct_of_peak_sustained_active",
        "dram__bytes_read.sum",
        "dram__bytes_write.sum"}},
      {"NVLink", {"nvlrx__bytes.sum", "nvltx__bytes.sum"}},
      {"PCIe", {"pcie__read_bytes.sum", "pcie__write_bytes.sum"}}};
  return kGroups;
}

std::size_t counter_passes(const CounterGroup& group, const std::string& chip) {
  const CuptiLibrary library;
  return CounterSchedule(library, group, chip, {}).passes();
}

CounterReport measure_counters(const std::function<void()>& work) {
  const CuptiLibrary library;
  const CUcontext context = current_context();
  CUpti_Profiler_Initialize_Params start{};
  SWITCHYARD_COUNTER_CALL(
      library, cuptiProfilerInitialize, CUpti_Profiler_Initialize_Params, start);
  const std::string chip = chip_name(library);
  const std::vector<std::uint8_t> available = availability(library, context);
  CounterReport report;
  std::optional<MissingCapability> last;
  for (const CounterGroup& group : counter_groups()) {
    try {
      CounterSchedule schedule(library, group, chip, available);
      const std::vector<double> values =
          schedule.evaluate(RangeCounter(library, context).count(schedule, work));
      for (std::size_t i = 0; i < values.size(); ++i) {
        report.readings.push_back({group.counters[i], values[i], unit_of(group.counters[i])});
      }
    } catch (const MissingCapability& reason) {
      report.missing.push_back(group.name + ": " + reason.what());
      last = reason;
    }
  }
  if (report.readings.empty() && last) {
    throw *last;
  }
  return report;
}

}  // namespace switchyard
