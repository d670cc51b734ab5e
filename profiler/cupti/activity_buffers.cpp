#include "profiler/cupti/activity_buffers.hpp"

#include <algorithm>
#include <new>

namespace switchyard {
namespace {

std::uint8_t* address_of(const std::unique_ptr<std::uint64_t[]>& words) {
  return reinterpret_cast<std::uint8_t*>(words.get());
}

}  // namespace

std::uint8_t* ActivityBuffers::lend() noexcept {
  const std::lock_guard lock(mutex_);
  const auto idle = std::find_if(
      blocks_.begin(), blocks_.end(), [](const Block& block) { return !block.is_lent; });
  if (idle != blocks_.end()) {
    idle->is_lent = true;
    return address_of(idle->words);
  }
  if (blocks_.size() >= most_) {
    ++refusals_;
    return nullptr;
  }
  try {
    blocks_.push_back({std::make_unique<std::uint64_t[]>(bytes_ / sizeof(std::uint64_t)), true});
  } catch (const std::bad_alloc&) {
    ++refusals_;
    return nullptr;
  }
  return address_of(blocks_.back().words);
}

bool ActivityBuffers::give_back(const std::uint8_t* buffer) noexcept {
  const std::lock_guard lock(mutex_);
  const auto block = std::find_if(blocks_.begin(), blocks_.end(), [buffer](const Block& known) {
    return known.is_lent && address_of(known.words) == buffer;
  });
  if (block == blocks_.end()) {
    return false;
  }
  block->is_lent = false;
  return true;
}

std::size_t ActivityBuffers::lent() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      blocks_.begin(), blocks_.end(), [](const Block& block) { return block.is_lent; }));
}

std::uint64_t ActivityBuffers::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}

}  // namespace switchyard
