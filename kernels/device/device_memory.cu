#include <utility>

#include "kernels/device/cuda_check.cuh"
#include "kernels/device/device_memory.hpp"

namespace switchyard {

struct DeviceStopwatch::Events {
  cudaEvent_t start = nullptr;
  cudaEvent_t stop = nullptr;
};

CudaDevice probe_cuda_device() {
  CudaDevice found;
  int count = 0;
  // Without a driver this answers cudaErrorInsufficientDriver and leaves `count` alone.
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    cudaGetLastError();
    int driver_version = 0;
    cudaDriverGetVersion(&driver_version);  // 0 and success where no driver is installed
    found.description = driver_version == 0     ? "no NVIDIA driver is installed"
                        : status == cudaSuccess ? "the driver reports no device"
                                                : cudaGetErrorString(status);
    return found;
  }
  cudaDeviceProp properties{};
  SWITCHYARD_CUDA(cudaGetDeviceProperties(&properties, 0));
  const int capability = properties.major * 10 + properties.minor;
  found.multiprocessors = properties.multiProcessorCount;
  found.description = std::string(properties.name) + ", sm_" + std::to_string(capability) + ", " +
                      std::to_string(found.multiprocessors) + " multiprocessors";
  // The kernels use warp reductions and packed maxima of sm_80.
  found.is_usable = capability >= 80;
  if (!found.is_usable) {
    found.description += ": the kernels need sm_80 or newer";
  }
  return found;
}

DeviceMemory::DeviceMemory(std::size_t bytes) : bytes_(bytes) {
  if (bytes > 0) {
    SWITCHYARD_CUDA(cudaMalloc(&address_, bytes));
  }
}

DeviceMemory::~DeviceMemory() {
  cudaFree(address_);
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void DeviceMemory::upload(const void* from) {
  if (bytes_ > 0) {
    SWITCHYARD_CUDA(cudaMemcpy(address_, from, bytes_, cudaMemcpyHostToDevice));
  }
}

void DeviceMemory::download(void* to) const {
  if (bytes_ > 0) {
    SWITCHYARD_CUDA(cudaMemcpy(to, address_, bytes_, cudaMemcpyDeviceToHost));
  }
}

DeviceStopwatch::DeviceStopwatch() : events_(std::make_unique<Events>()) {
  SWITCHYARD_CUDA(cudaEventCreate(&events_->start));
  SWITCHYARD_CUDA(cudaEventCreate(&events_->stop));
}

DeviceStopwatch::~DeviceStopwatch() {
  cudaEventDestroy(events_->start);
  cudaEventDestroy(events_->stop);
}

void DeviceStopwatch::start() {
  SWITCHYARD_CUDA(cudaEventRecord(events_->start));
}

double DeviceStopwatch::stop() {
  float milliseconds = 0.0F;
  SWITCHYARD_CUDA(cudaEventRecord(events_->stop));
  SWITCHYARD_CUDA(cudaEventSynchronize(events_->stop));
  SWITCHYARD_CUDA(cudaEventElapsedTime(&milliseconds, events_->start, events_->stop));
  return milliseconds * 1e-3;
}

}  // namespace switchyard
