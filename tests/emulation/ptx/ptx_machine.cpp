#include "tests/emulation/ptx/ptx_machine.hpp"

#include <array>
#include <bit>
#include <cstring>

#include <fmt/core.h>

#include "tests/emulation/ptx/ptx_arithmetic.hpp"
#include "tests/emulation/ptx/ptx_engine_words.hpp"
#include "tests/emulation/ptx/ptx_memory.hpp"
#include "tests/emulation/ptx/ptx_tensor.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kSharedAlignment = 128;
constexpr std::uint64_t kPoison = 0xA5A5A5A5A5A5A5A5ULL;

/// What all threads of a launch share.
struct PtxState {
  const PtxKernel& kernel;
  const PtxLaunch& launch;
  PtxProfile profile{};
  std::vector<std::vector<std::uint64_t>> registers{};  // [threads][register]
  std::size_t started_threads = 0;
};

/// One thread's way through the kernel.
class PtxThread {
 public:
  explicit PtxThread(PtxState& state)
      : state_(state),
        engine_(SimtEngine::current()),
        warp_(engine_.warp()),
        lane_(engine_.lane()),
        registers_(state.registers[warp_ * 32 + lane_]),
        memory_map_({.arguments = state.launch.arguments,
                     .shared = shared_memory(state.kernel),
                     .buffers = state.launch.buffers}) {
    registers_.assign(static_cast<std::size_t>(state.kernel.register_count), kPoison);
  }

  void run() {
    const auto& code = state_.kernel.code;
    while (at_ < code.size()) {
      const PtxInstruction& instruction = code[at_];
      occurrence_ = state_.profile.execute(warp_, lane_, at_);
      executing_ = at_++;
      const bool is_skipped = instruction.guard >= 0 && (value_of_register(instruction.guard) !=
                                                         0) == instruction.is_guard_negated;
      if (is_skipped) {
        continue;
      }
      if (instruction.opcode == PtxOpcode::Ret) {
        return;
      }
      step(instruction);
    }
    throw PtxError(state_.kernel.name + " runs past its end");
  }

 private:
  std::span<std::byte> shared_memory(const PtxKernel& kernel) {
    if (kernel.shared_bytes == 0) {
      return {};
    }
    void* const start =
        engine_.shared_object(&kernel, kernel.name, kernel.shared_bytes, kSharedAlignment);
    return {static_cast<std::byte*>(start), kernel.shared_bytes};
  }

  void step(const PtxInstruction& instruction) {
    switch (instruction.opcode) {
      case PtxOpcode::Bra:
        at_ = static_cast<std::size_t>(instruction.target);
        return;
      case PtxOpcode::Fence:
        return;
      case PtxOpcode::Mov:
        move(instruction);
        return;
      case PtxOpcode::Cvta:
        convert_address(instruction);
        return;
      case PtxOpcode::Ld:
        load(instruction);
        return;
      case PtxOpcode::St:
        store(instruction);
        return;
      case PtxOpcode::Atom:
      case PtxOpcode::Red:
        update_atomically(instruction);
        return;
      case PtxOpcode::Setp:
        compare(instruction);
        return;
      case PtxOpcode::Bar:
        wait(instruction);
        return;
      case PtxOpcode::Shfl:
      case PtxOpcode::Vote:
      case PtxOpcode::Match:
      case PtxOpcode::Redux:
        meet(instruction);
        return;
      case PtxOpcode::Mma:
        multiply_tile(instruction);
        return;
      default:
        compute(instruction);
    }
  }

  [[noreturn]] void fail(const PtxInstruction& instruction, std::string_view what) const {
    throw PtxError(fmt::format("{} line {}: {}: {} (block {}, thread {})",
                               state_.kernel.name,
                               instruction.line,
                               what,
                               instruction.text,
                               engine_.block_index().x,
                               warp_ * 32 + lane_));
  }

  // ---- operands ----------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t value_of_register(int reg) const {
    return registers_[static_cast<std::size_t>(reg)];
  }

  void set_register(int reg, std::uint64_t value) {
    if (reg >= 0) {
      registers_[static_cast<std::size_t>(reg)] = value;
    }
  }

  [[nodiscard]] std::uint64_t value(const PtxOperand& operand) const {
    switch (operand.kind) {
      case PtxOperand::Kind::Register: {
        const std::uint64_t content = value_of_register(operand.reg);
        return operand.is_negated ? content ^ 1U : content;
      }
      case PtxOperand::Kind::Special:
        return ptx_special_value(engine_, operand.special);
      default:
        return operand.immediate;
    }
  }

  /// Immediates may be wider than the operation: -1 as an operand of a u32 add.
  [[nodiscard]] std::uint64_t value(const PtxInstruction& instruction, std::size_t at) const {
    const PtxType& type =
        instruction.opcode == PtxOpcode::Cvt ? instruction.source_type : instruction.type;
    const std::uint64_t whole = value(instruction.operands.at(at));
    if (type.kind == PtxKind::Predicate) {  // the compiler writes true as -1
      return whole != 0 ? 1U : 0U;
    }
    const bool is_wide_sum = at == 3 && instruction.has("wide");
    return ptx_truncated(whole, is_wide_sum ? 8U : type.bytes);
  }

  // ---- instructions ------------------------------------------------------------------------

  void compute(const PtxInstruction& instruction) {
    std::array<std::uint64_t, 4> inputs{};
    const std::size_t count = instruction.operands.size() - 1;
    for (std::size_t input = 0; input < count; ++input) {
      // The predicate of selp and the counts of shifts and bit fields are no values of the type.
      const PtxOperand& operand = instruction.operands.at(input + 1);
      const bool is_typed = operand.kind != PtxOperand::Kind::Register;
      inputs.at(input) = is_typed ? value(instruction, input + 1) : value(operand);
    }
    set_register(instruction.operands[0].reg,
                 ptx_compute(instruction, std::span(inputs).first(count)));
  }

  void move(const PtxInstruction& instruction) {
    const PtxOperand& to = instruction.operands.at(0);
    const PtxOperand& from = instruction.operands.at(1);
    if (to.kind == PtxOperand::Kind::Vector) {
      const auto bytes = static_cast<unsigned>(instruction.type.bytes / to.elements.size());
      std::uint64_t rest = value(from);
      for (const int element : to.elements) {
        set_register(element, ptx_truncated(rest, bytes));
        rest >>= 8 * bytes;
      }
    } else if (from.kind == PtxOperand::Kind::Vector) {
      const auto bytes = static_cast<unsigned>(instruction.type.bytes / from.elements.size());
      std::uint64_t joined = 0;
      for (std::size_t part = from.elements.size(); part-- > 0;) {
        joined =
            joined << (8 * bytes) | ptx_truncated(value_of_register(from.elements[part]), bytes);
      }
      set_register(to.reg, joined);
    } else {
      set_register(to.reg, value(instruction, 1));
    }
  }

  /// Generic addresses are host addresses; shared ones count from the start of the block's memory.
  void convert_address(const PtxInstruction& instruction) {
    const bool is_shared = instruction.space == PtxSpace::Shared;
    const std::uint64_t base = is_shared ? memory_map_.shared_start() : 0;
    const std::uint64_t address = value(instruction.operands.at(1));
    set_register(instruction.operands[0].reg,
                 instruction.has("to") ? address - base : address + base);
  }

  PtxMemory memory(const PtxInstruction& instruction, const PtxOperand& operand, unsigned bytes) {
    const PtxSpace space = operand.space == PtxSpace::Generic ? instruction.space : operand.space;
    const std::uint64_t base = operand.reg < 0 ? 0 : value_of_register(operand.reg);
    // Shared addresses are 32 bits wide, and a base may lie before the start.
    const std::uint64_t address =
        ptx_truncated(operand.immediate + base, space == PtxSpace::Shared ? 4U : 8U);
    try {
      return memory_map_.at(space, address, bytes);
    } catch (const PtxError& error) {
      fail(instruction, error.what());
    }
  }

  void note_access(const PtxMemory& memory, unsigned bytes, bool is_store, bool is_atomic) {
    if (memory.space == PtxSpace::Parameter) {
      return;
    }
    const bool is_shared = memory.space == PtxSpace::Shared;
    const PtxAccess kind = is_shared  ? (is_atomic ? PtxAccess::SharedAtomic : PtxAccess::Shared)
                           : is_store ? PtxAccess::GlobalStore
                                      : PtxAccess::GlobalLoad;
    state_.profile.access(
        warp_, executing_, occurrence_, {.kind = kind, .address = memory.address, .bytes = bytes});
  }

  void load(const PtxInstruction& instruction) {
    const unsigned bytes = instruction.type.bytes;
    const auto width = static_cast<unsigned>(instruction.vector_width);
    const PtxMemory from = memory(instruction, instruction.operands.at(1), bytes * width);
    note_access(from, bytes * width, false, false);
    const PtxOperand& to = instruction.operands[0];
    for (unsigned element = 0; element < width; ++element) {
      std::uint64_t loaded = 0;
      std::memcpy(&loaded, from.bytes + std::size_t{element} * bytes, bytes);
      if (instruction.type.kind == PtxKind::Signed) {
        loaded = static_cast<std::uint64_t>(ptx_signed(loaded, bytes));
      }
      set_register(to.kind == PtxOperand::Kind::Vector ? to.elements.at(element) : to.reg, loaded);
    }
  }

  void store(const PtxInstruction& instruction) {
    const unsigned bytes = instruction.type.bytes;
    const auto width = static_cast<unsigned>(instruction.vector_width);
    const PtxMemory to = memory(instruction, instruction.operands.at(0), bytes * width);
    note_access(to, bytes * width, true, false);
    const PtxOperand& from = instruction.operands.at(1);
    for (unsigned element = 0; element < width; ++element) {
      const std::uint64_t stored = from.kind == PtxOperand::Kind::Vector
                                       ? value_of_register(from.elements.at(element))
                                       : value(from);
      std::memcpy(to.bytes + std::size_t{element} * bytes, &stored, bytes);
    }
  }

  void update_atomically(const PtxInstruction& instruction) {
    const std::size_t first = instruction.opcode == PtxOpcode::Atom ? 1 : 0;
    const unsigned bytes = instruction.type.bytes;
    const PtxMemory at = memory(instruction, instruction.operands.at(first), bytes);
    note_access(at, bytes, true, true);
    std::uint64_t old = 0;
    std::memcpy(&old, at.bytes, bytes);
    std::vector<std::uint64_t> inputs;
    for (std::size_t input = first + 1; input < instruction.operands.size(); ++input) {
      inputs.push_back(value(instruction, input));
    }
    const std::uint64_t updated = ptx_atomic_update(instruction, old, inputs);
    std::memcpy(at.bytes, &updated, bytes);
    if (first == 1) {
      set_register(instruction.operands[0].reg, old);
    }
  }

  void compare(const PtxInstruction& instruction) {
    const auto& operands = instruction.operands;
    const bool holds = ptx_compare(instruction, value(instruction, 1), value(instruction, 2));
    const auto combined = [&](bool result) {
      if (operands.size() < 4) {
        return result;
      }
      const bool other = value(operands[3]) != 0;
      return instruction.has("and")  ? result && other
             : instruction.has("or") ? result || other
                                     : result != other;
    };
    set_register(operands[0].second_reg, combined(!holds) ? 1 : 0);
    set_register(operands[0].reg, combined(holds) ? 1 : 0);
  }

  [[nodiscard]] SimtPlace place(const PtxInstruction& instruction) const {
    return {.file = state_.kernel.name.c_str(), .line = instruction.line};
  }

  void wait(const PtxInstruction& instruction) {
    if (instruction.has("warp")) {
      const auto mask = static_cast<std::uint32_t>(value(instruction.operands.at(0)));
      engine_.collective({.mask = mask}, place(instruction));
      return;
    }
    if (instruction.operands.size() != 1 || value(instruction.operands[0]) != 0) {
      fail(instruction, "only whole-block barriers on barrier 0 are known");
    }
    engine_.block_barrier(place(instruction));
  }

  void meet(const PtxInstruction& instruction) {
    const auto& operands = instruction.operands;
    WarpRequest request{.operation = ptx_warp_operation(instruction),
                        .mask = static_cast<std::uint32_t>(value(operands.back())),
                        .value = value(operands.at(1))};
    if (instruction.opcode == PtxOpcode::Shfl) {
      // Operand c packs the segment mask above the clamp; CUDA's widths are powers of two.
      const auto segment = static_cast<int>(value(operands.at(3)) >> 8 & 31U);
      request.argument = static_cast<int>(value(operands.at(2)));
      request.width = 32 - segment;
    }
    const WarpReply reply = engine_.collective(request, place(instruction));
    std::uint64_t result = reply.value;
    if (instruction.opcode == PtxOpcode::Vote && !instruction.has("ballot")) {
      result = (instruction.has("any") ? reply.value != 0 : reply.value == request.mask) ? 1 : 0;
    }
    set_register(operands[0].reg, result);
    set_register(operands[0].second_reg, reply.is_in_range ? 1 : 0);
  }

  void multiply_tile(const PtxInstruction& instruction) {
    const bool is_known =
        instruction.text.find("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") !=
        std::string::npos;
    if (!is_known) {
      fail(instruction, "only bfloat16 tiles of 16 x 8 x 16 are known");
    }
    const auto words = [&](std::size_t operand, auto& to) {
      for (std::size_t at = 0; at < to.size(); ++at) {
        const std::uint64_t word =
            value_of_register(instruction.operands.at(operand).elements.at(at));
        to.at(at) = std::bit_cast<std::decay_t<decltype(to[0])>>(static_cast<std::uint32_t>(word));
      }
    };
    PtxTile tile;
    words(1, tile.a);
    words(2, tile.b);
    words(3, tile.c);
    const std::array<float, 4> product = ptx_multiply_tile(engine_, tile, place(instruction));
    for (std::size_t at = 0; at < product.size(); ++at) {
      set_register(instruction.operands[0].elements.at(at),
                   std::bit_cast<std::uint32_t>(product.at(at)));
    }
  }

  PtxState& state_;
  SimtEngine& engine_;
  std::uint32_t warp_;
  std::uint32_t lane_;
  std::vector<std::uint64_t>& registers_;
  PtxMemoryMap memory_map_;
  std::size_t at_ = 0;
  std::size_t executing_ = 0;
  std::uint32_t occurrence_ = 0;
};

}  // namespace

PtxCounters run_ptx(const PtxKernel& kernel, const PtxLaunch& launch) {
  if (launch.arguments.size() != kernel.parameter_bytes) {
    throw PtxError(fmt::format("{} takes {} parameter bytes, not {}",
                               kernel.name,
                               kernel.parameter_bytes,
                               launch.arguments.size()));
  }
  const std::size_t threads = launch.shape.block.volume();
  PtxState state{.kernel = kernel, .launch = launch};
  state.registers.resize(threads);
  simt_launch(launch.shape, [&state, threads] {
    if (state.started_threads++ % threads == 0) {
      state.profile.end_block();
      state.profile.begin_block((threads + 31) / 32, state.kernel.code.size());
    }
    PtxThread(state).run();
  });
  state.profile.end_block();
  return state.profile.counters();
}

}  // namespace switchyard
