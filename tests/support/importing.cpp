#include "tests/support/importing.hpp"

#include "tests/support/expect_error.hpp"

namespace switchyard::testing {

RoutingData import_routing(const std::filesystem::path& path, const nlohmann::json& options) {
  Parameters parameters(options, {"options", ""});
  return Registry<Importer>::instance()
      .create(guess_importer(path), "importer", parameters)
      ->read(path, {});
}

RoutingTrace import_trace(const std::filesystem::path& path, const nlohmann::json& options) {
  return std::get<RoutingTrace>(import_routing(path, options));
}

void expect_import_refused(const std::filesystem::path& path,
                           const std::string& words,
                           const nlohmann::json& options) {
  expect_error<InvalidInput>([&] { (void)import_routing(path, options); }, words);
}

std::vector<std::int32_t> ids_of(const RoutingTrace& trace, std::size_t chunk) {
  return copy_rows(trace, trace.chunks()[chunk]).expert_ids;
}

}  // namespace switchyard::testing
