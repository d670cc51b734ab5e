// The machine that runs kernels, as host code sees it: memory, copies, and launches by name. The
// host side of a router is written against this interface once; the GPU runs it in production, and
// in tests/emulation the SIMT emulator and the PTX machine do. Plain C++17: no
// CUDA needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace switchyard {

/// A kernel by the name that SWITCHYARD_KERNEL (kernels/device/kernel.cuh) gave it.
struct KernelLaunch {
  std::string_view kernel;
  std::uint32_t blocks = 0;
  std::uint32_t threads = 0;        ///< of a block
  const void* arguments = nullptr;  ///< the kernel's one argument, a plain struct
  std::size_t argument_bytes = 0;
};

/// Launches and copies take effect in the order in which they are called.
class KernelDevice {
 public:
  KernelDevice() = default;
  virtual ~KernelDevice() = default;
  KernelDevice(const KernelDevice&) = delete;
  KernelDevice& operator=(const KernelDevice&) = delete;
  KernelDevice(KernelDevice&&) = delete;
  KernelDevice& operator=(KernelDevice&&) = delete;

  /// Only spreads work; no result depends on it.
  [[nodiscard]] virtual std::int32_t multiprocessors() const = 0;

  /// `bytes` > 0, aligned to 256 bytes. Throws MissingCapability if there is not enough memory.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* address) noexcept = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;

  /// Throws InternalError for a name that no compiled kernel has.
  virtual void launch(const KernelLaunch& launch) = 0;

  /// The same for an argument struct; no blocks, no launch.
  template <class Arguments>
  void launch(std::string_view kernel,
              std::int32_t blocks,
              std::int32_t threads,
              const Arguments& arguments) {
    static_assert(std::is_trivially_copyable_v<Arguments>);
    if (blocks > 0) {
      launch(KernelLaunch{kernel,
                          static_cast<std::uint32_t>(blocks),
                          static_cast<std::uint32_t>(threads),
                          &arguments,
                          sizeof(Arguments)});
    }
  }
};

/// Where routers with `executor=cuda` run: the stand-in if there is one, else the first GPU. Throws
/// MissingCapability, saying why, without either.
KernelDevice& current_device();

/// Whether current_device() would answer.
bool has_device();

/// Takes the GPU's place while it lives, so that tests run a router's whole CUDA path without one.
class DeviceStandIn {
 public:
  explicit DeviceStandIn(KernelDevice& device);
  ~DeviceStandIn();
  DeviceStandIn(const DeviceStandIn&) = delete;
  DeviceStandIn& operator=(const DeviceStandIn&) = delete;
  DeviceStandIn(DeviceStandIn&&) = delete;
  DeviceStandIn& operator=(DeviceStandIn&&) = delete;

 private:
  KernelDevice* before_;
};

}  // namespace switchyard
