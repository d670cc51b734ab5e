// logits = hidden x gate^T through oneDNN. Tokens go through in blocks of a fixed size, the last
// one padded, each block on one thread: a token's logits depend neither on the number of threads
// nor on the tokens that come with it.
#pragma once

#include <cstddef>
#include <memory>

#include "core/matrix.hpp"

namespace switchyard {

class GateProjection {
 public:
  /// Packs the gate weights [experts, hidden] for this machine's vector units.
  explicit GateProjection(MatrixView<const float> gate);
  GateProjection(GateProjection&&) noexcept;
  GateProjection& operator=(GateProjection&&) noexcept;
  GateProjection(const GateProjection&) = delete;
  GateProjection& operator=(const GateProjection&) = delete;
  ~GateProjection();

  /// hidden [tokens, hidden] -> logits [tokens, experts], in float32.
  void project(MatrixView<const float> hidden, MatrixView<float> logits) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard
