// Stands in for libcuda.so.1: offers one GPU, loads the injection library as the driver does, and
// "runs" kernels by telling the stand-in for CUPTI about them.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <cupti.h>
#include <dlfcn.h>
#include <unistd.h>

#include "tests/fake_cuda/fake_cupti.hpp"

namespace {

void load_injection() {
  const char* path = std::getenv("CUDA_INJECTION64_PATH");
  void* library = path == nullptr ? nullptr : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) {
    reinterpret_cast<int (*)()>(dlsym(library, "InitializeInjection"))();
  }
}

template <class Record>
void tell_cupti(const Record& record) {
  void* cupti = dlopen("libcupti.so.13", RTLD_NOW | RTLD_LOCAL);
  if (cupti != nullptr) {
    const auto write =
        reinterpret_cast<decltype(&fake_cupti_write)>(dlsym(cupti, "fake_cupti_write"));
    if (write != nullptr) {
      write(&record, sizeof(record));
    }
  }
}

}  // namespace

extern "C" {

CUresult cuInit(unsigned /*flags*/) {
  static const bool has_injection = (load_injection(), true);
  return has_injection ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

CUresult cuDeviceGetCount(int* count) {
  const char* text = std::getenv("FAKE_CUDA_DEVICES");
  *count = text == nullptr ? 1 : std::atoi(text);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char* name, int length, int /*device*/) {
  std::strncpy(name, "Fake GPU", static_cast<std::size_t>(length));
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice /*device*/) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE:
      *value = 2'619'000;  // kHz, of an H100 SXM
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH:
      *value = 5120;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
      *value = 1'980'000;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      *value = 132;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
      *value = 2048;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice /*device*/) {
  *bytes = std::size_t{80} << 30U;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  *version = 13000;
  return CUDA_SUCCESS;
}

/// A kernel of 1 us, launch number `index`; the first one tells of the device as well.
void fake_cuda_launch(int index) {
  if (index == 0) {
    CUpti_ActivityDevice5 device{};
    device.kind = CUPTI_ACTIVITY_KIND_DEVICE;
    device.name = "Fake GPU";
    device.computeCapabilityMajor = 9;
    device.numMultiprocessors = 132;
    device.maxWarpsPerMultiprocessor = 64;
    device.maxBlocksPerMultiprocessor = 32;
    device.maxSharedMemoryPerMultiprocessor = 228 * 1024;
    device.maxRegistersPerMultiprocessor = 65536;
    tell_cupti(device);
  }
  constexpr std::uint64_t kStart = 1'700'000'000'000'000'000U;
  const auto number = static_cast<std::uint32_t>(index);
  CUpti_ActivityKernel10 kernel{};
  kernel.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
  kernel.start = kStart + number * 2000ULL;
  kernel.end = kernel.start + 1000;
  kernel.gridX = kernel.gridY = kernel.gridZ = 1;
  kernel.blockX = 128;
  kernel.blockY = kernel.blockZ = 1;
  kernel.registersPerThread = 32;
  kernel.correlationId = number + 1;
  kernel.name = "_Z13fake_dispatchPf";
  tell_cupti(kernel);
  CUpti_ActivityAPI call{};
  call.kind = CUPTI_ACTIVITY_KIND_RUNTIME;
  call.start = kernel.start - 500;
  call.end = kernel.start - 100;
  call.processId = static_cast<std::uint32_t>(::getpid());
  call.threadId = 7;
  call.correlationId = number + 1;
  tell_cupti(call);
}

}  // extern "C"
