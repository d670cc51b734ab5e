#include "profiler/timeline_importer.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "core/files/byte_reader.hpp"

namespace switchyard {

template class Registry<TimelineImporter>;

namespace {

std::vector<std::filesystem::path> files_of(const std::filesystem::path& path) {
  std::error_code problem;
  if (!std::filesystem::is_directory(path, problem)) {
    return {path};
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, problem)) {
    if (entry.is_regular_file(problem)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> importers_of_file(const std::filesystem::path& path) {
  std::vector<std::string> matches;
  const auto& registry = Registry<TimelineImporter>::instance();
  for (const std::string& name : registry.names()) {
    Parameters defaults = Parameters::describing();
    if (registry.create(name, "importer", defaults)->recognises(path)) {
      matches.push_back(name);
    }
  }
  return matches;
}

// Every rank once, and a word about those that are not there.
void check_ranks(const std::vector<std::string>& sources,
                 TimelineTables& tables,
                 const Location& where) {
  std::map<std::int32_t, std::size_t> owners;
  std::int32_t world_size = 0;
  for (std::size_t i = 0; i < tables.processes.size(); ++i) {
    const std::int32_t rank = tables.processes[i].rank;
    world_size = std::max(world_size, tables.processes[i].world_size);
    if (rank >= 0 && !owners.emplace(rank, i).second) {
      throw InvalidInput(
          fmt::format("rank {} is in both {} and {}", rank, sources[owners[rank]], sources[i]),
          where,
          "keep one file a rank");
    }
  }
  if (!owners.empty() && world_size > static_cast<std::int32_t>(owners.size())) {
    const std::string which =
        fmt::format("ranks of {} are missing: not part of any total", world_size);
    tables.note(
        TimelineNote::Kind::Doubtful, which, world_size - static_cast<std::int64_t>(owners.size()));
  }
}

}  // namespace

std::vector<std::string> matching_timeline_importers(const std::filesystem::path& path) {
  for (const auto& file : files_of(path)) {
    auto matches = importers_of_file(file);
    if (!matches.empty()) {
      return matches;
    }
  }
  return {};
}

void import_timeline(const TimelineImporter& importer,
                     const std::filesystem::path& path,
                     TimelineSink& sink,
                     const Progress& progress) {
  std::error_code problem;
  const bool is_folder = std::filesystem::is_directory(path, problem);
  std::vector<std::string> sources;
  for (const auto& file : files_of(path)) {
    if (is_folder && !importer.recognises(file)) {
      sink.tables.note(TimelineNote::Kind::LeftOut, "file of another format in the folder");
      continue;
    }
    importer.read(file, sink, progress);
    sources.resize(sink.tables.processes.size(), file.filename().string());
  }
  const Location where{path.string(), ""};
  if (sources.empty() && sink.tables.processes.empty()) {
    throw InvalidInput("holds no file of this format", where);
  }
  check_ranks(sources, sink.tables, where);
}

std::int32_t rank_in_name(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  std::size_t at = name.rfind("rank");
  while (at != std::string::npos) {
    std::size_t digits = at + 4;
    if (digits < name.size() && (name[digits] == '_' || name[digits] == '-')) {
      ++digits;
    }
    std::int32_t rank = -1;
    const auto [end, fault] =
        std::from_chars(name.data() + digits, name.data() + name.size(), rank);
    if (fault == std::errc() && rank >= 0) {
      return rank;
    }
    at = at == 0 ? std::string::npos : name.rfind("rank", at - 1);
  }
  return -1;
}

std::string first_bytes(const std::filesystem::path& path, std::size_t count) {
  std::string bytes;
  try {
    ByteReader reader(path);
    while (bytes.size() < count) {
      const std::string_view block = reader.next({});
      if (block.empty()) {
        break;
      }
      bytes.append(block.substr(0, count - bytes.size()));
    }
  } catch (const Error&) {
    // Not readable: whoever reads it in earnest will say why.
  }
  return bytes;
}

}  // namespace switchyard
