// A word that is missing here is refused by the parser. activemask is missing on purpose: its
// answer depends on the schedule.
#include "tests/emulation/ptx/ptx_words.hpp"

#include <map>

namespace switchyard {
namespace {

template <typename Value>
std::optional<Value> find_word(const std::map<std::string_view, Value>& words,
                               std::string_view word) {
  const auto found = words.find(word);
  return found == words.end() ? std::nullopt : std::optional<Value>(found->second);
}

}  // namespace

std::optional<PtxOpcode> ptx_opcode_of(std::string_view word) {
  // Fences order nothing here: one thread runs at a time.
  static const std::map<std::string_view, PtxOpcode> words{
      {"abs", PtxOpcode::Abs},     {"add", PtxOpcode::Add},      {"and", PtxOpcode::And},
      {"atom", PtxOpcode::Atom},   {"bar", PtxOpcode::Bar},      {"barrier", PtxOpcode::Bar},
      {"bfe", PtxOpcode::Bfe},     {"bfi", PtxOpcode::Bfi},      {"bra", PtxOpcode::Bra},
      {"brev", PtxOpcode::Brev},   {"clz", PtxOpcode::Clz},      {"cvt", PtxOpcode::Cvt},
      {"cvta", PtxOpcode::Cvta},   {"div", PtxOpcode::Div},      {"fence", PtxOpcode::Fence},
      {"fma", PtxOpcode::Fma},     {"ld", PtxOpcode::Ld},        {"ldu", PtxOpcode::Ld},
      {"lop3", PtxOpcode::Lop3},   {"mad", PtxOpcode::Mad},      {"match", PtxOpcode::Match},
      {"max", PtxOpcode::Max},     {"membar", PtxOpcode::Fence}, {"min", PtxOpcode::Min},
      {"mma", PtxOpcode::Mma},     {"mov", PtxOpcode::Mov},      {"mul", PtxOpcode::Mul},
      {"neg", PtxOpcode::Neg},     {"not", PtxOpcode::Not},      {"or", PtxOpcode::Or},
      {"popc", PtxOpcode::Popc},   {"prmt", PtxOpcode::Prmt},    {"red", PtxOpcode::Red},
      {"redux", PtxOpcode::Redux}, {"rem", PtxOpcode::Rem},      {"ret", PtxOpcode::Ret},
      {"selp", PtxOpcode::Selp},   {"setp", PtxOpcode::Setp},    {"shf", PtxOpcode::Shf},
      {"shfl", PtxOpcode::Shfl},   {"shl", PtxOpcode::Shl},      {"shr", PtxOpcode::Shr},
      {"sqrt", PtxOpcode::Sqrt},   {"st", PtxOpcode::St},        {"sub", PtxOpcode::Sub},
      {"vote", PtxOpcode::Vote},   {"xor", PtxOpcode::Xor},
  };
  return find_word(words, word);
}

std::optional<PtxSpecial> ptx_special_of(std::string_view word) {
  static const std::map<std::string_view, PtxSpecial> words{
      {"%tid.x", PtxSpecial::ThreadX},
      {"%tid.y", PtxSpecial::ThreadY},
      {"%tid.z", PtxSpecial::ThreadZ},
      {"%ntid.x", PtxSpecial::BlockSizeX},
      {"%ntid.y", PtxSpecial::BlockSizeY},
      {"%ntid.z", PtxSpecial::BlockSizeZ},
      {"%ctaid.x", PtxSpecial::BlockX},
      {"%ctaid.y", PtxSpecial::BlockY},
      {"%ctaid.z", PtxSpecial::BlockZ},
      {"%nctaid.x", PtxSpecial::GridSizeX},
      {"%nctaid.y", PtxSpecial::GridSizeY},
      {"%nctaid.z", PtxSpecial::GridSizeZ},
      {"%laneid", PtxSpecial::Lane},
      {"%lanemask_lt", PtxSpecial::LanesBelow},
  };
  return find_word(words, word);
}

PtxType ptx_type_of(std::string_view word) {
  static const std::map<std::string_view, PtxType> words{
      {"b8", {PtxKind::Bits, 1}},           {"b16", {PtxKind::Bits, 2}},
      {"b32", {PtxKind::Bits, 4}},          {"b64", {PtxKind::Bits, 8}},
      {"u8", {PtxKind::Unsigned, 1}},       {"u16", {PtxKind::Unsigned, 2}},
      {"u32", {PtxKind::Unsigned, 4}},      {"u64", {PtxKind::Unsigned, 8}},
      {"s8", {PtxKind::Signed, 1}},         {"s16", {PtxKind::Signed, 2}},
      {"s32", {PtxKind::Signed, 4}},        {"s64", {PtxKind::Signed, 8}},
      {"f16", {PtxKind::Float, 2}},         {"f32", {PtxKind::Float, 4}},
      {"f64", {PtxKind::Float, 8}},         {"bf16", {PtxKind::BFloat, 2}},
      {"f16x2", {PtxKind::Float, 4, true}}, {"bf16x2", {PtxKind::BFloat, 4, true}},
      {"pred", {PtxKind::Predicate, 1}},
  };
  return find_word(words, word).value_or(PtxType{});
}

}  // namespace switchyard
