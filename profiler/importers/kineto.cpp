// PyTorch (Kineto) Chrome traces, read as a stream: kernels, copies, ranges, launches and the
// arguments of NCCL collectives become events; CPU operators and Python frames are counted and left
// out. The CUPTI sample's Chrome trace, which is nearly the same, is read too.
#include "profiler/json_stream.hpp"
#include "profiler/kineto/event_builder.hpp"
#include "profiler/kineto/event_handler.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kKinetoHead = 65536;

class KinetoImporter final : public TimelineImporter {
 public:
  explicit KinetoImporter(Parameters& parameters)
      : rank_(static_cast<std::int32_t>(parameters.get_integer(
            "rank", -1, {-1, 1 << 24}, "rank of the trace; -1 = as the trace or its name says"))) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    const std::string start = first_bytes(path, kKinetoHead);
    const std::size_t first = start.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || start[first] != '{') {
      return false;
    }
    // deviceProperties comes first in a Kineto trace and may be long.
    return start.find("\"traceEvents\"") != std::string::npos ||
           (start.find("\"schemaVersion\"") != std::string::npos &&
            start.find("\"deviceProperties\"") != std::string::npos);
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& progress) const override {
    KinetoEventBuilder builder(path, sink, rank_);
    JsonStream stream(path, progress);
    KinetoHandler handler(stream, builder);
    parse_json_stream(stream, handler);
    builder.finish();
  }

 private:
  std::int32_t rank_;
};

const Register<TimelineImporter, KinetoImporter> kKineto{
    "kineto", "PyTorch profiler (Kineto) Chrome trace, .json or .json.gz"};

}  // namespace
}  // namespace switchyard
