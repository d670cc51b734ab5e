// What every importer promises, whatever its format. A new importer adds a tiny file of its format
// to `samples()` and is held to all of it.
#include <fstream>
#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/files/safetensors.hpp"
#include "traces/files/trace_file.hpp"
#include "traces/importer.hpp"
#include "traces/summary.hpp"

namespace switchyard {
namespace {

using testing::TemporaryFolder;

// The files of a tiny sample, by name; one named "" stands for a format of a single file.
using Files = std::map<std::string, std::string>;

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string counts_file(const std::vector<std::int64_t>& counts) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x";
  write_safetensors(
      path, false, {{{"7_3", TensorType::I64, {counts.size()}}, std::as_bytes(std::span(counts))}});
  return contents(path);
}

const std::map<std::string, Files>& samples() {
  static const std::map<std::string, Files> kAll{
      {"count_csv", {{"", "layer,e0,e1,e2\n0,4,2,2\n1,0,3,5\n"}}},
      {"esft",
       {{"expert_weights_1.txt", "0\t1\t2\t0\t\t0.5\t0.25\t0.5\t0.125\n1\t0\t\t0.75\t0.25\n"},
        {"expert_weights_4.txt", "2\t1\t2\t0\t\t0.5\t0.25\t0.5\t0.125\n1\t2\t\t0.75\t0.25\n"}}},
      {"megatron",
       {{"router_trace_rank0.jsonl",
         R"({"step":0,"stage":"pre_dispatch","block":"decoder","layer":3,"rank":0,"num_tokens":2,)"
         R"("topk":2,"top_indices":[[0,1],[2,3]]})"
         "\n"},
        {"router_trace_rank1.jsonl",
         R"({"step":0,"stage":"pre_dispatch","block":"decoder","layer":3,"rank":1,"num_tokens":1,)"
         R"("topk":2,"top_indices":[[3,0]]})"
         "\n"}}},
      // The example of docs/add_an_importer.md, registered only while that page is tested.
      {"pairs", {{"", "#pairs\n0 1 2\n3 0 1\n"}}},
      {"tensorrt_llm",
       {{"meta_info.json", R"({"num_experts": 4, "num_experts_per_token": 2})"},
        {"rank0.safetensors", counts_file({1, 2, 3, 2})},
        {"rank1.safetensors", counts_file({0, 0, 4, 2})}}},
      {"token_csv",
       {{"", "token,layer,e0,e1,p0,p1\n5,0,3,1,0.75,0.25\n5,1,0,2,0.5,0.5\n6,0,1,2,0.5,0.25\n"}}},
      {"vllm",
       {{"",
         R"({"prompt_routed_experts":[[[0,1],[2,3]],[[1,0],[2,0]]],)"
         R"("choices":[{"routed_experts":[[[3,1],[0,3]]]}]})"
         "\n"}}},
  };
  return kAll;
}

class ImporterContract : public ::testing::TestWithParam<std::string> {
 protected:
  // Writes the sample, with one of its files changed.
  std::filesystem::path write_sample(
      const std::string& changed = {},
      const std::function<std::string(const std::string&)>& change = {}) const {
    const Files& files = samples().at(GetParam());
    std::filesystem::path path = folder.path() / "sample";
    std::filesystem::remove_all(path);
    for (const auto& [name, bytes] : files) {
      const bool is_changed = change && name == changed;
      const std::string relative = name.empty() ? "sample" : "sample/" + name;
      (void)folder.write(relative, is_changed ? change(bytes) : bytes);
    }
    return path;
  }

  static RoutingData read(const std::filesystem::path& path) {
    Parameters defaults(nullptr, {"options", ""});
    return Registry<Importer>::instance().create(GetParam(), "importer", defaults)->read(path, {});
  }

  // Reads; whatever is wrong must be said by InvalidInput. True if something was.
  static bool is_refused(const std::filesystem::path& path) {
    try {
      const RoutingData routing = read(path);
      (void)summarise(routing);
      return false;
    } catch (const InvalidInput& error) {
      EXPECT_FALSE(error.where().file.empty()) << error.what();
      return true;
    }
  }

  [[nodiscard]] const Files& files() const { return samples().at(GetParam()); }

  TemporaryFolder folder;
};

TEST_P(ImporterContract, HasASample) {
  ASSERT_TRUE(samples().contains(GetParam())) << "add a tiny file of this format to samples()";
}

TEST_P(ImporterContract, AloneRecognisesItsFormat) {
  EXPECT_EQ(guess_importer(write_sample()), GetParam());
}

TEST_P(ImporterContract, ReadsItsFormatWhole) {
  const RoutingData routing = read(write_sample());
  const TraceMetadata& metadata = metadata_of(routing);
  EXPECT_FALSE(metadata.provenance.empty());
  EXPECT_GT(metadata.model.experts, 0);
  const auto native = folder.path() / "native.safetensors";
  if (const auto* trace = std::get_if<RoutingTrace>(&routing)) {
    trace->check_rows();
    write_trace(*trace, native, false);
    EXPECT_EQ(count_selections(std::get<RoutingTrace>(open_routing(native)), true).counts,
              count_selections(*trace, true).counts);
  } else {
    write_load(std::get<ExpertLoad>(routing), native, false);
    EXPECT_EQ(std::get<ExpertLoad>(open_routing(native)).counts,
              std::get<ExpertLoad>(routing).counts);
  }
}

TEST_P(ImporterContract, GivesTheSameTwice) {
  const auto path = write_sample();
  const RoutingData once = read(path);
  const RoutingData again = read(path);
  const auto bytes = [this](const RoutingData& routing, const char* name) {
    const auto file = folder.path() / name;
    if (const auto* trace = std::get_if<RoutingTrace>(&routing)) {
      write_trace(*trace, file, true);
    } else {
      write_load(std::get<ExpertLoad>(routing), file, true);
    }
    return contents(file);
  };
  EXPECT_EQ(bytes(once, "a"), bytes(again, "b"));
}

TEST_P(ImporterContract, RefusesAFileCutInItsLastLine) {
  for (const auto& [name, whole] : files()) {
    const auto path = write_sample(name, [](const std::string& bytes) {
      const std::size_t last = bytes.size() < 2 ? 0 : bytes.rfind('\n', bytes.size() - 2) + 1;
      return bytes.substr(0, last + (bytes.size() - last) / 2);
    });
    EXPECT_TRUE(is_refused(path)) << name;
  }
}

TEST_P(ImporterContract, NeverCrashesWhereverAFileIsCut) {
  for (const auto& [name, whole] : files()) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto path =
          write_sample(name, [size](const std::string& bytes) { return bytes.substr(0, size); });
      (void)is_refused(path);
      for (const std::string& importer : Registry<Importer>::instance().names()) {
        Parameters defaults = Parameters::describing();
        EXPECT_NO_THROW((void)Registry<Importer>::instance()
                            .create(importer, "importer", defaults)
                            ->recognises(path));
      }
    }
  }
}

TEST_P(ImporterContract, RefusesEmptyFiles) {
  for (const auto& [name, whole] : files()) {
    EXPECT_TRUE(is_refused(write_sample(name, [](const std::string&) { return ""; }))) << name;
  }
}

TEST_P(ImporterContract, RefusesGarbage) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const auto& [name, whole] : files()) {
      const auto path = write_sample(name, [seed](const std::string&) {
        RandomStream random(seed, {1});
        std::string bytes(200, '\0');
        for (char& byte : bytes) {
          byte = static_cast<char>(random.index(256));
        }
        return bytes;
      });
      EXPECT_TRUE(is_refused(path)) << name << " seed " << seed;
    }
  }
}

TEST_P(ImporterContract, NeverCrashesOnADamagedByte) {
  RandomStream random(4, {2});
  for (const auto& [name, whole] : files()) {
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t at = random.index(whole.size());
      const auto byte = static_cast<char>(random.index(256));
      const auto path = write_sample(name, [at, byte](std::string bytes) {
        bytes[at] = byte;
        return bytes;
      });
      (void)is_refused(path);
    }
  }
}

TEST_P(ImporterContract, SaysThatAPathDoesNotExist) {
  EXPECT_TRUE(is_refused(folder.path() / "nothing"));
  testing::expect_error<InvalidInput>([this] { (void)guess_importer(folder.path() / "nothing"); },
                                      "does not exist");
}

TEST_P(ImporterContract, RefusesAnEmptyFolder) {
  EXPECT_TRUE(is_refused(folder.path()));
}

TEST_P(ImporterContract, RefusesUnknownParameters) {
  Parameters parameters({{"no_such_thing", 1}}, {"options", ""});
  EXPECT_THROW((void)Registry<Importer>::instance().create(GetParam(), "importer", parameters),
               InvalidInput);
}

INSTANTIATE_TEST_SUITE_P(All,
                         ImporterContract,
                         ::testing::ValuesIn(Registry<Importer>::instance().names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace switchyard
