#include "tests/emulation/ptx/ptx_engine_words.hpp"

namespace switchyard {

std::uint64_t ptx_special_value(const SimtEngine& engine, PtxSpecial which) {
  const SimtIndex& thread = engine.thread_index();
  const SimtIndex& block = engine.block_index();
  switch (which) {
    case PtxSpecial::ThreadX:
      return thread.x;
    case PtxSpecial::ThreadY:
      return thread.y;
    case PtxSpecial::ThreadZ:
      return thread.z;
    case PtxSpecial::BlockSizeX:
      return engine.block().x;
    case PtxSpecial::BlockSizeY:
      return engine.block().y;
    case PtxSpecial::BlockSizeZ:
      return engine.block().z;
    case PtxSpecial::BlockX:
      return block.x;
    case PtxSpecial::BlockY:
      return block.y;
    case PtxSpecial::BlockZ:
      return block.z;
    case PtxSpecial::GridSizeX:
      return engine.grid().x;
    case PtxSpecial::GridSizeY:
      return engine.grid().y;
    case PtxSpecial::GridSizeZ:
      return engine.grid().z;
    case PtxSpecial::Lane:
      return engine.lane();
    case PtxSpecial::LanesBelow:
      return (1ULL << engine.lane()) - 1;
  }
  return 0;
}

WarpOperation ptx_warp_operation(const PtxInstruction& instruction) {
  struct Word {
    PtxOpcode opcode;
    const char* modifier;
    WarpOperation operation;
  };

  static constexpr Word kWords[] = {
      {PtxOpcode::Shfl, "idx", WarpOperation::ShuffleIndex},
      {PtxOpcode::Shfl, "up", WarpOperation::ShuffleUp},
      {PtxOpcode::Shfl, "down", WarpOperation::ShuffleDown},
      {PtxOpcode::Shfl, "bfly", WarpOperation::ShuffleXor},
      {PtxOpcode::Vote, "sync", WarpOperation::Ballot},
      {PtxOpcode::Match, "any", WarpOperation::MatchAny},
      {PtxOpcode::Redux, "add", WarpOperation::Add},
      {PtxOpcode::Redux, "and", WarpOperation::And},
      {PtxOpcode::Redux, "or", WarpOperation::Or},
      {PtxOpcode::Redux, "xor", WarpOperation::Xor},
  };
  for (const Word& word : kWords) {
    if (word.opcode == instruction.opcode && instruction.has(word.modifier)) {
      return word.operation;
    }
  }
  const bool is_signed = instruction.type.kind == PtxKind::Signed;
  if (instruction.opcode == PtxOpcode::Redux && instruction.has("max")) {
    return is_signed ? WarpOperation::MaximumSigned : WarpOperation::MaximumUnsigned;
  }
  if (instruction.opcode == PtxOpcode::Redux && instruction.has("min")) {
    return is_signed ? WarpOperation::MinimumSigned : WarpOperation::MinimumUnsigned;
  }
  throw PtxError("collective not known: " + instruction.text);
}

}  // namespace switchyard
