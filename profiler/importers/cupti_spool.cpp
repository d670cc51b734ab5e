// The spool that a profiled program leaves behind, where `switchyard profile` itself did not live
// to turn it into a timeline (docs/profiling.md).
#include "profiler/activities/activity_spool.hpp"
#include "profiler/activities/activity_timeline.hpp"
#include "profiler/activities/spool_format.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

class CuptiSpoolImporter final : public TimelineImporter {
 public:
  explicit CuptiSpoolImporter(Parameters& /*parameters*/) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    return first_bytes(path, spool::kMagic.size()) ==
           std::string_view(spool::kMagic.data(), spool::kMagic.size());
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& /*progress*/) const override {
    const SpoolSummary known = summarise_spool(path);
    if (!known.problem.empty()) {
      throw InvalidInput(
          "holds no records: " + known.problem, {path.string(), ""}, known.problem_hint);
    }
    if (!known.has_owner || known.records == 0) {
      throw InvalidInput("holds no records: its program ended before it recorded anything",
                         {path.string(), ""});
    }
    sink.tables.format = "cupti";
    sink.tables.source = known.owner.command;
    add_spool(path, known.owner, sink);
  }
};

const Register<TimelineImporter, CuptiSpoolImporter> kCuptiSpool{
    "cupti_spool", "what a program under switchyard profile left, not yet made a timeline: .spool"};

}  // namespace
}  // namespace switchyard
