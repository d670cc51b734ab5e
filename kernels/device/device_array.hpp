// Device memory that is released with its owner.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "kernels/device/device.hpp"

namespace switchyard {

/// Owned device memory for `count` values.
template <class Value>
class DeviceArray {
 public:
  DeviceArray(KernelDevice& device, std::size_t count)
      : device_(device),
        count_(count),
        address_(count == 0 ? nullptr : device.allocate(count * sizeof(Value))) {}

  /// Holds a copy of `values`.
  DeviceArray(KernelDevice& device, std::span<const Value> values)
      : DeviceArray(device, values.size()) {
    upload(values);
  }

  ~DeviceArray() {
    if (address_ != nullptr) {
      device_.release(address_);
    }
  }

  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  DeviceArray(DeviceArray&& other) noexcept
      : device_(other.device_),
        count_(other.count_),
        address_(std::exchange(other.address_, nullptr)) {}

  DeviceArray& operator=(DeviceArray&&) = delete;

  [[nodiscard]] Value* address() const { return static_cast<Value*>(address_); }

  [[nodiscard]] std::size_t count() const { return count_; }

  void upload(std::span<const Value> values) {
    if (count_ > 0) {
      device_.upload(address_, values.data(), count_ * sizeof(Value));
    }
  }

  /// The first `to.size()` values.
  void download(std::span<Value> to) const {
    if (!to.empty()) {
      device_.download(to.data(), address_, to.size_bytes());
    }
  }

  [[nodiscard]] std::vector<Value> values() const {
    std::vector<Value> copy(count_);
    download(copy);
    return copy;
  }

 private:
  KernelDevice& device_;
  std::size_t count_;
  void* address_;
};

}  // namespace switchyard
