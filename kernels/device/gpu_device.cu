#include <map>
#include <string_view>

#include "kernels/device/cuda_check.cuh"
#include "kernels/device/gpu_device.hpp"
#include "kernels/device/gpu_kernels.hpp"

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

namespace {

std::map<std::string_view, GpuKernel>& kernels_by_name() {
  static std::map<std::string_view, GpuKernel> kernels;
  return kernels;
}

class Gpu final : public KernelDevice {
 public:
  [[nodiscard]] std::int32_t multiprocessors() const override {
    return cuda_device().multiprocessors;
  }

  void* allocate(std::size_t bytes) override {
    void* address = nullptr;
    SWITCHYARD_CUDA(cudaMalloc(&address, bytes));
    return address;
  }

  void release(void* address) noexcept override { cudaFree(address); }

  void upload(void* to, const void* from, std::size_t bytes) override {
    SWITCHYARD_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
  }

  void download(void* to, const void* from, std::size_t bytes) override {
    SWITCHYARD_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost));
  }

  void launch(const KernelLaunch& launch) override {
    const GpuKernel* const kernel = find_gpu_kernel(launch.kernel);
    if (kernel == nullptr || kernel->argument_bytes != launch.argument_bytes ||
        kernel->threads != launch.threads) {
      throw InternalError("no kernel of this shape is called " + std::string(launch.kernel));
    }
    void* arguments[] = {const_cast<void*>(launch.arguments)};
    SWITCHYARD_CUDA(
        cudaLaunchKernel(kernel->function, launch.blocks, launch.threads, arguments, 0, nullptr));
  }
};

}  // namespace

const GpuKernel* find_gpu_kernel(std::string_view name) {
  const auto found = kernels_by_name().find(name);
  return found == kernels_by_name().end() ? nullptr : &found->second;
}

EnteredGpuKernel::EnteredGpuKernel(const char* name, const GpuKernel& kernel) {
  kernels_by_name().emplace(name, kernel);
}

KernelDevice& gpu_device() {
  static Gpu gpu;
  return gpu;
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
