// Memory lent to CUPTI for its records. CUPTI asks and gives back on threads of its own, also while
// the process exits, so the owner of the buffers is never destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace switchyard {

class ActivityBuffers {
 public:
  /// At most `most` buffers of `bytes` each are lent at once; CUPTI counts what it must drop.
  ActivityBuffers(std::size_t bytes, std::size_t most) : bytes_(bytes), most_(most) {}

  /// A buffer aligned for any record, or null when all are lent or memory is short.
  std::uint8_t* lend() noexcept;
  /// Takes a buffer back for the next lend(); answers false for one that is not ours.
  bool give_back(const std::uint8_t* buffer) noexcept;

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  [[nodiscard]] std::size_t most() const { return most_; }

  /// Buffers that CUPTI holds now.
  [[nodiscard]] std::size_t lent() const;
  /// Times that lend() had to refuse.
  [[nodiscard]] std::uint64_t refusals() const;

 private:
  struct Block {
    std::unique_ptr<std::uint64_t[]> words;
    bool is_lent = false;
  };

  const std::size_t bytes_;
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::vector<Block> blocks_;
  std::uint64_t refusals_ = 0;
};

}  // namespace switchyard
