// A parser by statements: directives are skipped or noted, labels resolved at the end of a kernel,
// and each instruction split at dots and commas. Registers get numbers at first sight.
#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/core.h>

#include "tests/emulation/ptx/ptx_words.hpp"

namespace switchyard {
namespace {

bool is_blank(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    depth += text[at] == '{' || text[at] == '[' ? 1 : 0;
    depth -= text[at] == '}' || text[at] == ']' ? 1 : 0;
    if (text[at] == separator && depth == 0) {
      parts.push_back(trimmed(text.substr(start, at - start)));
      start = at + 1;
    }
  }
  parts.push_back(trimmed(text.substr(start)));
  std::erase_if(parts, [](std::string_view part) { return part.empty(); });
  return parts;
}

/// Comments become blanks, so that line numbers stay.
std::string without_comments(std::string_view text) {
  std::string clean(text);
  for (std::size_t at = clean.find('/'); at != std::string::npos; at = clean.find('/', at + 1)) {
    const bool is_line = clean.compare(at, 2, "//") == 0;
    if (!is_line && clean.compare(at, 2, "/*") != 0) {
      continue;
    }
    const std::size_t close = is_line ? clean.find('\n', at) : clean.find("*/", at + 2);
    const std::size_t end = std::min(clean.size(), is_line ? close : close + 2);
    for (std::size_t cleared = at; cleared < end; ++cleared) {
      clean[cleared] = clean[cleared] == '\n' ? '\n' : ' ';
    }
  }
  return clean;
}

/// A declared array: ".shared .align 4 .b8 name[512]" or ".param .u64 name".
struct Declaration {
  std::string name;
  std::size_t align = 1;
  std::size_t bytes = 0;
};

class PtxParser {
 public:
  explicit PtxParser(std::string_view text) : text_(without_comments(text)) {}

  PtxModule parse() {
    while (skip_blanks()) {
      parse_module_statement();
    }
    return std::move(module_);
  }

 private:
  struct Symbol {
    PtxSpace space = PtxSpace::Generic;
    std::size_t offset = 0;
  };

  bool skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) {
      line_ += text_[at_] == '\n' ? 1 : 0;
      ++at_;
    }
    return at_ < text_.size();
  }

  /// The text up to the first of `ends`, which is consumed.
  std::string_view take_until(std::string_view ends) {
    const std::size_t end = text_.find_first_of(ends, at_);
    if (end == std::string::npos) {
      fail("the text ends inside a statement");
    }
    const std::string_view taken = std::string_view(text_).substr(at_, end - at_);
    line_ += static_cast<int>(std::count(taken.begin(), taken.end(), '\n'));
    line_ += text_[end] == '\n' ? 1 : 0;
    at_ = end + 1;
    return trimmed(taken);
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw PtxError(fmt::format("ptx line {}: {}", line_, what));
  }

  void parse_module_statement() {
    const std::string_view rest = std::string_view(text_).substr(at_);
    if (rest.starts_with(".version") || rest.starts_with(".target") ||
        rest.starts_with(".address_size")) {
      const std::string_view directive = take_until("\n");
      if (directive.starts_with(".target")) {
        module_.target = trimmed(directive.substr(7));
      }
      return;
    }
    const std::string_view head = take_until(";{");
    const bool has_body = text_[at_ - 1] == '{';
    const std::size_t entry = head.find(".entry");
    if (has_body && entry != std::string_view::npos) {
      parse_kernel(head.substr(entry + 6));
    } else if (head.find(".shared") != std::string_view::npos) {
      module_shared_.push_back(declaration(head));
    } else if (has_body || head.find(".global") != std::string_view::npos) {
      fail(fmt::format("neither functions nor module variables are known: {}", head));
    }
  }

  Declaration declaration(std::string_view text) const {
    Declaration declared;
    const auto words = split(text, ' ');
    std::size_t element = 0;
    for (std::size_t word = 0; word < words.size(); ++word) {
      if (words[word] == ".align") {
        declared.align = number(words.at(++word));
      } else if (words[word].starts_with('.')) {
        element = std::max<std::size_t>(element, ptx_type_of(words[word].substr(1)).bytes);
      } else {
        declared.name = words[word];
      }
    }
    const std::size_t bracket = text.find('[');
    declared.name = declared.name.substr(0, declared.name.find('['));
    const std::size_t count =
        bracket == std::string_view::npos ? 1 : number(text.substr(bracket + 1));
    declared.bytes = element * count;
    declared.align = std::max(declared.align, element);
    return declared;
  }

  void parse_kernel(std::string_view head) {
    kernel_ = {};
    registers_.clear();
    labels_.clear();
    branches_.clear();
    symbols_.clear();
    const std::size_t open = head.find('(');
    kernel_.name = trimmed(head.substr(0, open));
    if (open != std::string_view::npos) {
      for (const auto parameter : split(head.substr(open + 1, head.find(')') - open - 1), ',')) {
        place(PtxSpace::Parameter, declaration(parameter), kernel_.parameter_bytes);
      }
    }
    parse_body();
    for (const auto& [instruction, label] : branches_) {
      const auto target = labels_.find(label);
      if (target == labels_.end()) {
        fail("no such label: " + label);
      }
      kernel_.code[instruction].target = target->second;
    }
    module_.kernels[kernel_.name] = std::move(kernel_);
  }

  void place(PtxSpace space, const Declaration& declared, std::size_t& used) {
    const std::size_t offset = (used + declared.align - 1) / declared.align * declared.align;
    symbols_[declared.name] = {.space = space, .offset = offset};
    used = offset + declared.bytes;
  }

  void parse_body() {
    int depth = 1;
    while (depth > 0) {
      if (!skip_blanks()) {
        fail("the text ends inside a kernel");
      }
      if (text_[at_] == '{' || text_[at_] == '}') {
        depth += text_[at_] == '{' ? 1 : -1;
        ++at_;
        continue;
      }
      const std::size_t end = text_.find_first_of(":; \t\n", at_);
      if (end != std::string::npos && text_[end] == ':') {
        labels_[std::string(take_until(":"))] = static_cast<int>(kernel_.code.size());
        continue;
      }
      const int line = line_;
      const std::string_view statement = take_until(";");
      if (!statement.starts_with('.')) {
        parse_instruction(statement, line);
      } else if (statement.starts_with(".shared")) {
        place(PtxSpace::Shared, declaration(statement), kernel_.shared_bytes);
      } else if (statement.starts_with(".local")) {
        fail("local memory is not known; kernels must not spill");
      }
    }
  }

  void parse_instruction(std::string_view statement, int line) {
    PtxInstruction instruction;
    instruction.line = line;
    instruction.text = statement;
    if (statement.starts_with('@')) {
      const std::size_t end = statement.find_first_of(" \t");
      const std::string_view guard = statement.substr(1, end - 1);
      instruction.is_guard_negated = guard.starts_with('!');
      instruction.guard = register_number(guard.substr(instruction.is_guard_negated ? 1 : 0));
      statement = trimmed(statement.substr(end));
    }
    const std::size_t name_end = std::min(statement.find_first_of(" \t"), statement.size());
    parse_name(statement.substr(0, name_end), instruction);
    const auto operands = split(statement.substr(name_end), ',');
    if (instruction.opcode == PtxOpcode::Bra) {
      branches_.emplace_back(kernel_.code.size(), std::string(operands.at(0)));
    } else {
      for (const std::string_view text : operands) {
        instruction.operands.push_back(operand(text));
      }
    }
    kernel_.code.push_back(std::move(instruction));
  }

  void parse_name(std::string_view name, PtxInstruction& instruction) const {
    const auto words = split(name, '.');
    const auto opcode = ptx_opcode_of(words.at(0));
    if (!opcode) {
      fail(fmt::format("unknown instruction: {}", instruction.text));
    }
    instruction.opcode = *opcode;
    for (const std::string_view word : std::vector(words.begin() + 1, words.end())) {
      if (const PtxType type = ptx_type_of(word); type.kind != PtxKind::None) {
        (instruction.type.kind == PtxKind::None ? instruction.type : instruction.source_type) =
            type;
        continue;
      }
      instruction.modifiers.emplace_back(word);
    }
    instruction.vector_width = instruction.has("v4") ? 4 : instruction.has("v2") ? 2 : 1;
    instruction.space = instruction.has("param")    ? PtxSpace::Parameter
                        : instruction.has("global") ? PtxSpace::Global
                        : instruction.has("shared") ? PtxSpace::Shared
                                                    : PtxSpace::Generic;
  }

  int register_number(std::string_view name) {
    if (name.empty() || is_number(name)) {
      fail(fmt::format("not a register: {}", name));
    }
    const auto found = registers_.try_emplace(std::string(name), kernel_.register_count);
    kernel_.register_count += found.second ? 1 : 0;
    return found.first->second;
  }

  PtxOperand operand(std::string_view text) {
    PtxOperand operand;
    if (text.starts_with('{')) {
      operand.kind = PtxOperand::Kind::Vector;
      for (const auto element : split(text.substr(1, text.size() - 2), ',')) {
        operand.elements.push_back(element == "_" ? -1 : register_number(element));
      }
    } else if (text.starts_with('[')) {
      operand = address(text.substr(1, text.size() - 2));
    } else if (text.starts_with('!')) {
      operand = this->operand(text.substr(1));
      operand.is_negated = true;
    } else if (const auto special = ptx_special_of(text)) {
      operand.kind = PtxOperand::Kind::Special;
      operand.special = *special;
    } else if (text.starts_with('%')) {
      const std::size_t bar = text.find('|');
      operand.kind = PtxOperand::Kind::Register;
      operand.reg = register_number(text.substr(0, bar));
      if (bar != std::string_view::npos && text.substr(bar + 1) != "_") {
        operand.second_reg = register_number(text.substr(bar + 1));
      }
    } else if (is_number(text)) {
      operand.immediate = number(text);
    } else if (text.find_first_of("%_$") == 0 || std::isalpha(text[0]) != 0) {
      operand = symbol_operand(text);
    } else {
      fail(fmt::format("unknown operand: {}", text));
    }
    return operand;
  }

  /// A name is a local register of inline assembly, or a variable.
  PtxOperand symbol_operand(std::string_view text) {
    PtxOperand operand;
    if (const auto symbol = find_symbol(text)) {
      operand.immediate = symbol->offset;
      operand.space = symbol->space;
      return operand;
    }
    operand.kind = PtxOperand::Kind::Register;
    operand.reg = register_number(text);
    return operand;
  }

  PtxOperand address(std::string_view text) {
    PtxOperand operand;
    operand.kind = PtxOperand::Kind::Address;
    const std::size_t plus = text.find('+');
    const std::string_view base = trimmed(text.substr(0, plus));
    if (plus != std::string_view::npos) {
      operand.immediate = number(text.substr(plus + 1));
    }
    if (base.starts_with('%')) {
      operand.reg = register_number(base);
    } else if (const auto symbol = find_symbol(base)) {
      operand.immediate += symbol->offset;
      operand.space = symbol->space;
    } else {
      fail(fmt::format("unknown symbol: {}", base));
    }
    return operand;
  }

  /// Module variables get their place in the kernel that first names them.
  const Symbol* find_symbol(std::string_view name) {
    const std::string key(name);
    if (const auto found = symbols_.find(key); found != symbols_.end()) {
      return &found->second;
    }
    for (const Declaration& shared : module_shared_) {
      if (shared.name == key) {
        place(PtxSpace::Shared, shared, kernel_.shared_bytes);
        return &symbols_[key];
      }
    }
    return nullptr;
  }

  static bool is_number(std::string_view text) {
    return std::isdigit(static_cast<unsigned char>(text[0])) != 0 || text[0] == '-';
  }

  /// Decimal, 0x hexadecimal, or the bits of a float as 0f3F800000.
  std::uint64_t number(std::string_view text) const {
    text = trimmed(text);
    const bool is_negative = text.starts_with('-');
    text.remove_prefix(is_negative ? 1 : 0);
    const bool is_hexadecimal =
        text.size() > 2 && text[0] == '0' && std::string_view("xXfF").find(text[1]) < 4;
    text.remove_prefix(is_hexadecimal ? 2 : 0);
    std::uint64_t value = 0;
    const auto parsed =
        std::from_chars(text.data(), text.data() + text.size(), value, is_hexadecimal ? 16 : 10);
    const std::string_view rest(parsed.ptr, text.data() + text.size());
    if (parsed.ec != std::errc() || !(rest.empty() || rest.starts_with(']'))) {
      fail(fmt::format("not a number: {}", text));
    }
    return is_negative ? 0 - value : value;
  }

  std::string text_;
  std::size_t at_ = 0;
  int line_ = 1;
  PtxModule module_;
  PtxKernel kernel_;
  std::vector<Declaration> module_shared_;
  std::map<std::string, int> registers_;
  std::map<std::string, int> labels_;
  std::map<std::string, Symbol> symbols_;
  std::vector<std::pair<std::size_t, std::string>> branches_;
};

}  // namespace

bool PtxInstruction::has(std::string_view modifier) const {
  return std::find(modifiers.begin(), modifiers.end(), modifier) != modifiers.end();
}

const PtxKernel& PtxModule::kernel(const std::string& name) const {
  const auto found = kernels.find(name);
  if (found == kernels.end()) {
    throw PtxError("no kernel is called " + name);
  }
  return found->second;
}

PtxModule parse_ptx(std::string_view text) {
  return PtxParser(text).parse();
}

}  // namespace switchyard
