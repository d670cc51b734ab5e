#include "profiler/cupti/driver_devices.hpp"

#include <array>
#include <memory>

#include <cupti.h>  // the driver's functions too
#include <dlfcn.h>

namespace switchyard {
namespace {

struct Driver {
  decltype(&cuDeviceGetCount) count = nullptr;
  decltype(&cuDeviceGetName) name = nullptr;
  decltype(&cuDeviceGetAttribute) attribute = nullptr;
  decltype(&cuDeviceTotalMem_v2) total_memory = nullptr;
};

struct CloseDriver {
  void operator()(void* library) const { dlclose(library); }
};

using DriverLibrary = std::unique_ptr<void, CloseDriver>;

/// All functions, or none.
Driver functions_of(void* library) {
  const Driver driver{
      reinterpret_cast<decltype(Driver::count)>(dlsym(library, "cuDeviceGetCount")),
      reinterpret_cast<decltype(Driver::name)>(dlsym(library, "cuDeviceGetName")),
      reinterpret_cast<decltype(Driver::attribute)>(dlsym(library, "cuDeviceGetAttribute")),
      reinterpret_cast<decltype(Driver::total_memory)>(dlsym(library, "cuDeviceTotalMem_v2"))};
  const bool is_whole = driver.count != nullptr && driver.name != nullptr &&
                        driver.attribute != nullptr && driver.total_memory != nullptr;
  return is_whole ? driver : Driver{};
}

DeviceFacts facts_of(const Driver& driver, CUdevice device) {
  const auto number = [&](CUdevice_attribute attribute) {
    int value = 0;
    return driver.attribute(&value, attribute, device) == CUDA_SUCCESS && value > 0
               ? static_cast<std::uint32_t>(value)
               : 0U;
  };
  constexpr std::uint64_t kKilo = 1000;
  constexpr std::uint64_t kTransfersOfClock = 2;  // double data rate
  constexpr std::uint64_t kBitsOfByte = 8;
  DeviceFacts facts;
  facts.id = static_cast<std::uint32_t>(device);
  facts.memory_bytes_per_second = number(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE) * kKilo *
                                  kTransfersOfClock *
                                  number(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH) / kBitsOfByte;
  facts.clock_hertz = number(CU_DEVICE_ATTRIBUTE_CLOCK_RATE) * kKilo;
  facts.multiprocessors = number(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  facts.capability_major = number(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  facts.capability_minor = number(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  constexpr std::uint32_t kThreadsOfWarp = 32;
  facts.warps_per_multiprocessor =
      number(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR) / kThreadsOfWarp;
  facts.blocks_per_multiprocessor = number(CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR);
  facts.shared_bytes_per_multiprocessor =
      number(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  facts.registers_per_multiprocessor = number(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
  facts.l2_bytes = number(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  std::size_t memory = 0;
  if (driver.total_memory(&memory, device) == CUDA_SUCCESS) {
    facts.memory_bytes = memory;
  }
  return facts;
}

}  // namespace

std::vector<DriverDevice> driver_devices() {
  const DriverLibrary library(dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL));
  const Driver driver = library ? functions_of(library.get()) : Driver{};
  int count = 0;
  if (driver.count == nullptr || driver.count(&count) != CUDA_SUCCESS) {
    return {};
  }
  std::vector<DriverDevice> devices;
  for (CUdevice device = 0; device < count; ++device) {
    std::array<char, 256> name{};
    driver.name(name.data(), static_cast<int>(name.size()) - 1, device);
    devices.push_back({facts_of(driver, device), name.data()});
  }
  return devices;
}

}  // namespace switchyard
