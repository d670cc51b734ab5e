#include "tests/emulation/devices/host_memory_device.hpp"

#include <cstring>
#include <utility>

namespace switchyard {

void* HostMemoryDevice::allocate(std::size_t bytes) {
  DeviceImage image(nullptr, bytes);
  void* const address = image.address();
  images_.emplace(address, std::move(image));
  return address;
}

void HostMemoryDevice::release(void* address) noexcept {
  images_.erase(address);
}

void HostMemoryDevice::upload(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

void HostMemoryDevice::download(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

std::vector<PtxBuffer> HostMemoryDevice::buffers() const {
  std::vector<PtxBuffer> all;
  for (const auto& [address, image] : images_) {
    all.push_back(image.buffer());
  }
  return all;
}

}  // namespace switchyard
