#include "tests/emulation/ptx/compiled_kernels.hpp"

#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

namespace switchyard {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw PtxError("cannot read " + path);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

PtxModule parse_files(const std::string& paths) {
  PtxModule all;
  std::istringstream list(paths);
  for (std::string path; std::getline(list, path, ';');) {
    PtxModule module = parse_ptx(content_of(path));
    all.target = module.target;
    all.kernels.merge(module.kernels);
  }
  return all;
}

std::vector<CompiledKernels> read_table() {
  std::vector<CompiledKernels> compiled;
  std::istringstream table(content_of(SWITCHYARD_COMPILED_KERNELS));
  std::string architecture;
  std::string report;
  std::string files;
  while (std::getline(table, architecture) && std::getline(table, report) &&
         std::getline(table, files)) {
    compiled.push_back({.architecture = architecture,
                        .module = parse_files(files),
                        .resources = parse_ptxas_report(content_of(report))});
  }
  return compiled;
}

}  // namespace

const std::vector<CompiledKernels>& compiled_kernels() {
  static const std::vector<CompiledKernels> kernels = read_table();
  return kernels;
}

std::map<std::string, KernelResources> parse_ptxas_report(const std::string& report) {
  static const std::regex kernel(R"(Compiling entry function '([^']+)')");
  static const std::regex stack(
      R"((\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads)");
  static const std::regex registers(R"(Used (\d+) registers)");
  static const std::regex shared(R"((\d+) bytes smem)");
  std::map<std::string, KernelResources> resources;
  KernelResources* current = nullptr;
  std::istringstream lines(report);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, kernel)) {
      current = &resources[match[1]];
      continue;
    }
    if (current == nullptr) {
      continue;
    }
    if (std::regex_search(line, match, stack)) {
      current->stack_bytes = std::stoi(match[1]);
      current->spill_bytes = std::stoi(match[2]) + std::stoi(match[3]);
    }
    if (std::regex_search(line, match, registers)) {
      current->registers = std::stoi(match[1]);
    }
    if (std::regex_search(line, match, shared)) {
      current->shared_bytes = std::stoi(match[1]);
    }
  }
  return resources;
}

}  // namespace switchyard
