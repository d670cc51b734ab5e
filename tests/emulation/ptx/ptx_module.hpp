// The PTX that nvcc emitted, parsed into instructions a machine can run. It knows the subset that
// Switchyard's kernels use; anything else is refused with its line, never guessed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard {

/// What is wrong with a PTX text or its execution.
class PtxError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class PtxKind : std::uint8_t { None, Bits, Unsigned, Signed, Float, BFloat, Predicate };

/// An operand type such as u32 or bf16x2.
struct PtxType {
  PtxKind kind = PtxKind::None;
  std::uint8_t bytes = 0;  ///< of the whole register; 4 for bf16x2
  bool is_packed = false;  ///< two 16-bit values in one word

  bool operator==(const PtxType&) const = default;
};

enum class PtxSpace : std::uint8_t { Generic, Parameter, Global, Shared };

enum class PtxSpecial : std::uint8_t {
  ThreadX,
  ThreadY,
  ThreadZ,
  BlockSizeX,
  BlockSizeY,
  BlockSizeZ,
  BlockX,
  BlockY,
  BlockZ,
  GridSizeX,
  GridSizeY,
  GridSizeZ,
  Lane,
  LanesBelow,
};

struct PtxOperand {
  enum class Kind : std::uint8_t { Register, Immediate, Special, Address, Vector };

  Kind kind = Kind::Immediate;
  int reg = -1;         ///< register, or base register of an address; -1: none
  int second_reg = -1;  ///< the predicate of "%r1|%p1"
  bool is_negated = false;
  std::uint64_t immediate = 0;  ///< value, or offset of an address
  PtxSpecial special = PtxSpecial::ThreadX;
  PtxSpace space = PtxSpace::Generic;  ///< where the symbol of an address lies
  std::vector<int> elements;           ///< registers of a vector; -1 for "_"
};

enum class PtxOpcode : std::uint8_t {
  Abs,
  Add,
  And,
  Atom,
  Bar,
  Bfe,
  Bfi,
  Bra,
  Brev,
  Clz,
  Cvt,
  Cvta,
  Div,
  Fence,
  Fma,
  Ld,
  Lop3,
  Mad,
  Match,
  Max,
  Min,
  Mma,
  Mov,
  Mul,
  Neg,
  Not,
  Or,
  Popc,
  Prmt,
  Red,
  Redux,
  Rem,
  Ret,
  Selp,
  Setp,
  Shf,
  Shfl,
  Shl,
  Shr,
  Sqrt,
  St,
  Sub,
  Vote,
  Xor,
};

struct PtxInstruction {
  PtxOpcode opcode = PtxOpcode::Ret;
  PtxType type;         ///< of the operation; of the destination for cvt
  PtxType source_type;  ///< cvt only
  PtxSpace space = PtxSpace::Generic;
  int vector_width = 1;  ///< registers of a vector load or store
  int guard = -1;        ///< predicate register; -1: always
  bool is_guard_negated = false;
  int target = -1;  ///< instruction index of a branch
  int line = 0;     ///< in the PTX text
  std::vector<PtxOperand> operands;
  std::vector<std::string> modifiers;  ///< the words after the first dot
  std::string text;

  [[nodiscard]] bool has(std::string_view modifier) const;
};

struct PtxKernel {
  std::string name;
  std::size_t parameter_bytes = 0;
  std::size_t shared_bytes = 0;
  int register_count = 0;
  std::vector<PtxInstruction> code;
};

struct PtxModule {
  std::string target;  ///< such as "sm_80"
  std::map<std::string, PtxKernel> kernels;

  /// The kernel called `name`; PtxError if there is none.
  [[nodiscard]] const PtxKernel& kernel(const std::string& name) const;
};

/// Throws PtxError naming the line of what it does not understand.
PtxModule parse_ptx(std::string_view text);

/// The type called `word` ("u32"); kind None if there is no such type.
PtxType ptx_type_of(std::string_view word);

}  // namespace switchyard
