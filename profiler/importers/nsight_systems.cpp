// Nsight Systems' SQLite export (`nsys export --type sqlite`), any schema: tables are made lazily
// and columns vary by version, so that both are asked for; what is missing is named.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/files/sqlite.hpp"
#include "profiler/nsight/export_state.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

constexpr std::array<const char*, 6> kDeviceTables{"CUPTI_ACTIVITY_KIND_KERNEL",
                                                   "CUPTI_ACTIVITY_KIND_MEMCPY",
                                                   "CUPTI_ACTIVITY_KIND_MEMSET",
                                                   "CUPTI_ACTIVITY_KIND_GRAPH_TRACE",
                                                   "CUPTI_ACTIVITY_KIND_RUNTIME",
                                                   "NVTX_EVENTS"};

void require_tables(const NsightExport& source) {
  const bool has_any = std::any_of(kDeviceTables.begin(),
                                   kDeviceTables.end(),
                                   [&source](const char* table) { return source.has(table); });
  if (!source.has("StringIds") || !has_any) {
    throw InvalidInput(
        fmt::format("is an SQLite file, but no Nsight Systems export with GPU events: it has no "
                    "table {}",
                    source.has("StringIds") ? fmt::format("{}", fmt::join(kDeviceTables, " nor "))
                                            : std::string("StringIds")),
        source.database().where(),
        "profile with nsys profile --trace=cuda,nvtx, then nsys export --type sqlite");
  }
}

class NsightSystemsImporter final : public TimelineImporter {
 public:
  explicit NsightSystemsImporter(Parameters& /*parameters*/) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    if (!is_sqlite_file(path)) {
      return false;
    }
    try {
      const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {});
      const auto tables = database.tables();
      return std::any_of(tables.begin(), tables.end(), [](const std::string& table) {
        return table == "META_DATA_EXPORT" || table == "StringIds" ||
               table.starts_with("CUPTI_ACTIVITY_KIND_");
      });
    } catch (const Error&) {
      return false;  // whoever reads it in earnest will say why
    }
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& /*progress*/) const override {
    const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {path.string(), ""});
    NsightExport source(database, path, sink);
    require_tables(source);
    sink.tables.format = "nsight_systems";
    sink.tables.source = path.string();
    read_device_events(source);
    read_host_events(source);
    if (!source.has_processes()) {
      throw InvalidInput("is an Nsight Systems export without any GPU event, call or range",
                         database.where(),
                         "profile with nsys profile --trace=cuda,nvtx");
    }
    source.settle_ranks();
    source.read_devices();
  }
};

const Register<TimelineImporter, NsightSystemsImporter> kNsightSystems{
    "nsight_systems", "Nsight Systems SQLite export, schema 3.x"};

}  // namespace
}  // namespace switchyard
