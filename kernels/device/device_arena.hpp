// Device memory for a sequence of launches, released all at once.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/device/device.hpp"

namespace switchyard {

class DeviceArena {
 public:
  explicit DeviceArena(KernelDevice& device) : device_(device) {}

  ~DeviceArena() {
    for (void* const address : addresses_) {
      device_.release(address);
    }
  }

  DeviceArena(const DeviceArena&) = delete;
  DeviceArena& operator=(const DeviceArena&) = delete;
  DeviceArena(DeviceArena&&) = delete;
  DeviceArena& operator=(DeviceArena&&) = delete;

  [[nodiscard]] KernelDevice& device() { return device_; }

  /// Memory for `count` values, not initialised; null for none.
  template <class Value>
  Value* reserve(std::size_t count) {
    if (count == 0) {
      return nullptr;
    }
    addresses_.reserve(addresses_.size() + 1);
    addresses_.push_back(device_.allocate(count * sizeof(Value)));
    return static_cast<Value*>(addresses_.back());
  }

  /// A copy of `values`.
  template <class Value>
  Value* upload(std::span<const Value> values) {
    Value* const copy = reserve<Value>(values.size());
    if (copy != nullptr) {
      device_.upload(copy, values.data(), values.size_bytes());
    }
    return copy;
  }

  template <class Value>
  Value* zeros(std::size_t count) {
    return upload(std::span<const Value>(std::vector<Value>(count)));
  }

  template <class Value>
  void download(const Value* from, std::span<Value> to) {
    if (!to.empty()) {
      device_.download(to.data(), from, to.size_bytes());
    }
  }

 private:
  KernelDevice& device_;
  std::vector<void*> addresses_;
};

}  // namespace switchyard
