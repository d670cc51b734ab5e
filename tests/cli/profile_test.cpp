// `profile` as users meet it, with stand-ins for the driver and CUPTI: see tests/fake_cuda.
#include <algorithm>
#include <filesystem>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiler/cupti/cupti_presence.hpp"
#include "profiler/timeline_file.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Profile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!profiling_build_reason().empty()) {
      GTEST_SKIP() << profiling_build_reason();
    }
  }

  /// `options` of profile, then the arguments of the program to profile.
  [[nodiscard]] ProgramRun profile(const std::string& options,
                                   const std::string& app,
                                   const std::string& environment = "") const {
    const std::string fake = (build_folder() / "fake_cuda").string();
    return run_shell("export LD_LIBRARY_PATH='" + fake + "'; " + environment +
                         " switchyard profile " + options + " -- '" + fake + "/fake_app' " + app,
                     folder_.path());
  }

  [[nodiscard]] EventTimeline timeline(const std::string& name) const {
    return read_timeline(folder_.path() / name);
  }

  [[nodiscard]] std::size_t files_in(const std::string& name) const {
    const fs::path path = folder_.path() / name;
    return fs::exists(path) ? static_cast<std::size_t>(std::distance(fs::directory_iterator(path),
                                                                     fs::directory_iterator()))
                            : 0;
  }

  TemporaryFolder folder_;
};

std::size_t kernels_of(const EventTimeline& timeline) {
  return static_cast<std::size_t>(
      std::count_if(timeline.events.begin(), timeline.events.end(), [](const auto& event) {
        return event.kind == EventKind::Kernel;
      }));
}

TEST_F(Profile, WritesOneTimelineARankAndPassesTheProgramThrough) {
  const ProgramRun run = profile("-o out", "print hello cuda launch 50", "RANK=3 WORLD_SIZE=8");
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(run.output, "hello\n");
  EXPECT_THAT(run.errors, HasSubstr("out/rank3.sqlite: 50 kernels, 100 events, fake_app rank 3"));
  const EventTimeline measured = timeline("out/rank3.sqlite");
  EXPECT_EQ(measured.tables.format, "cupti");
  EXPECT_THAT(measured.tables.source, HasSubstr("fake_app print hello"));
  ASSERT_EQ(measured.tables.processes.size(), 1U);
  EXPECT_EQ(measured.tables.processes[0].rank, 3);
  EXPECT_EQ(measured.tables.processes[0].world_size, 8);
  EXPECT_EQ(kernels_of(measured), 50U);
  EXPECT_EQ(measured.name(measured.events[0]), "fake_dispatch(float*)");
  EXPECT_EQ(measured.events[0].duration_ns, 1000);
  EXPECT_TRUE(measured.tables.notes.empty());
  ASSERT_EQ(measured.tables.counters.size(), 1U);
  EXPECT_EQ(measured.tables.counters[0].value, 1.0);  // 128 threads, 32 registers: all 64 warps
  EXPECT_EQ(files_in("out"), 1U) << "spools are removed";
}

TEST_F(Profile, CollectsEveryThread) {
  const ProgramRun run = profile("-o out", "cuda threads 6", "RANK=0");
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(kernels_of(timeline("out/rank0.sqlite")), 600U);
}

TEST_F(Profile, KeepsTheProgramsExitCode) {
  const ProgramRun run = profile("-o out", "cuda launch 1 exit 5", "RANK=0");
  EXPECT_EQ(run.exit_code, 5);
  EXPECT_EQ(kernels_of(timeline("out/rank0.sqlite")), 1U);
}

TEST_F(Profile, SaysThatAProgramNeverTouchedCuda) {
  const ProgramRun run = profile("-o out", "print hello");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.output, "hello\n");
  EXPECT_THAT(run.errors, HasSubstr("never started CUDA"));
  EXPECT_EQ(files_in("out"), 0U);
}

TEST_F(Profile, ToleratesAProgramThatForks) {
  const ProgramRun run = profile("-o out", "cuda launch 2 fork launch 2", "RANK=0");
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(kernels_of(timeline("out/rank0.sqlite")), 4U);
  EXPECT_TRUE(timeline("out/rank0.sqlite").tables.notes.empty());
}

TEST_F(Profile, TellsOfAProgramThatWasKilled) {
  const ProgramRun run = profile("-o out", "cuda launch 20 kill", "RANK=0");
  EXPECT_EQ(run.exit_code, 128 + 9);
  EXPECT_THAT(run.errors, HasSubstr("it was killed or left by _exit"));
  const EventTimeline measured = timeline("out/rank0.sqlite");
  ASSERT_EQ(measured.tables.notes.size(), 1U);
  EXPECT_THAT(measured.tables.notes[0].text, HasSubstr("did not end by itself"));
}

TEST_F(Profile, ForwardsSignals) {
  const std::string fake = (build_folder() / "fake_cuda").string();
  const ProgramRun run = run_shell("export LD_LIBRARY_PATH='" + fake +
                                       "'; RANK=0 switchyard profile -o out -- '" + fake +
                                       "/fake_app' cuda launch 3 wait > said & app=$!; "
                                       "until grep -q waiting said; do sleep 0.05; done; "
                                       "kill -TERM $app; wait $app",
                                   folder_.path());
  EXPECT_EQ(run.exit_code, 9) << run.errors;
  EXPECT_EQ(kernels_of(timeline("out/rank0.sqlite")), 3U);
}

TEST_F(Profile, LeavesASpoolThatCanBeImportedIfItIsKilledItself) {
  const std::string fake = (build_folder() / "fake_cuda").string();
  const ProgramRun run = run_shell("export LD_LIBRARY_PATH='" + fake +
                                       "'; RANK=5 switchyard profile -o out -- '" + fake +
                                       "/fake_app' cuda launch 3 wait > said & tool=$!; "
                                       "until grep -q waiting said; do sleep 0.05; done; "
                                       "app=$(cat /proc/$tool/task/$tool/children); "
                                       "kill -KILL $tool; kill -TERM $app; "
                                       "while kill -0 $app; do sleep 0.05; done 2>&-; "
                                       "switchyard import out/.spool-* -o rank5.timeline",
                                   folder_.path());
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output, HasSubstr("read as: cupti_spool (guessed)"));
  EXPECT_EQ(kernels_of(timeline("rank5.timeline")), 3U);
  EXPECT_EQ(timeline("rank5.timeline").tables.processes.at(0).rank, 5);
}

TEST_F(Profile, SaysHowToGetThePermission) {
  const ProgramRun run = profile("-o out", "cuda launch 3", "FAKE_CUPTI_ENABLE_RESULT=35");
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.errors,
              AllOf(HasSubstr("CUPTI_ERROR_INSUFFICIENT_PRIVILEGES"),
                    HasSubstr("NVreg_RestrictProfilingToAdminUsers=0")));
  EXPECT_EQ(files_in("out"), 0U);
}

TEST_F(Profile, NeverLosesAnEarlierMeasurement) {
  ASSERT_EQ(profile("-o out", "cuda launch 1", "RANK=0").exit_code, 0);
  const ProgramRun again = profile("-o out", "print started cuda launch 2", "RANK=0");
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_EQ(again.output, "") << "refused before the program ran";
  EXPECT_THAT(again.errors, AllOf(HasSubstr("exists already"), HasSubstr("--force")));
  EXPECT_EQ(kernels_of(timeline("out/rank0.sqlite")), 1U);
  ASSERT_EQ(profile("-o out --force", "cuda launch 2", "RANK=0").exit_code, 0);
  EXPECT_EQ(kernels_of(timeline("out/rank0.sqlite")), 2U);
}

TEST_F(Profile, GivesEveryProcessOfARankAFile) {
  const std::string fake = (build_folder() / "fake_cuda").string();
  const ProgramRun two = run_shell(
      "export LD_LIBRARY_PATH='" + fake + "'; RANK=4 switchyard profile -o two -- bash -c \"'" +
          fake + "/fake_app' cuda launch 1; '" + fake + "/fake_app' cuda launch 2\"",
      folder_.path());
  EXPECT_EQ(two.exit_code, 0) << two.errors;
  EXPECT_EQ(files_in("two"), 2U);
  EXPECT_TRUE(fs::exists(folder_.path() / "two/rank4.sqlite"));
}

TEST_F(Profile, RefusesWhatItCannotStart) {
  const std::string fake = (build_folder() / "fake_cuda").string();
  const std::string prefix = "export LD_LIBRARY_PATH='" + fake + "'; switchyard profile ";
  const ProgramRun missing = run_shell(prefix + "-o out -- ./nowhere", folder_.path());
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.errors, HasSubstr("./nowhere: cannot be started: No such file or directory"));
  const ProgramRun nothing = run_shell(prefix, folder_.path());
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.errors, HasSubstr("no program to run"));
  const ProgramRun busy = run_shell(
      "export CUDA_INJECTION64_PATH=/opt/nsys.so; " + prefix + "-o out -- true", folder_.path());
  EXPECT_EQ(busy.exit_code, 2);
  EXPECT_THAT(busy.errors, HasSubstr("another profiler is at work already (/opt/nsys.so)"));
}

TEST_F(Profile, RefusesBeforeItRunsAnythingWithoutADriver) {
  if (probe_driver().is_usable) {
    GTEST_SKIP() << "this machine has a GPU: " << probe_driver().description;
  }
  const ProgramRun run =
      run_program({"profile", "-o", "out", "--", "sh", "-c", "echo ran"}, folder_.path());
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.errors,
              AllOf(HasSubstr("profiling is not possible"), HasSubstr("libcuda.so.1 not found")));
  EXPECT_EQ(run.output, "");
}

TEST_F(Profile, OfOurOwnRouterNeedsTheRouterOnAGpu) {
  const std::vector<std::string> sizes{"route",
                                       "--experts",
                                       "16",
                                       "--tokens",
                                       "8",
                                       "--ranks",
                                       "2",
                                       "--layers",
                                       "1",
                                       "-o",
                                       "my.trace"};
  auto on_cpu = sizes;
  on_cpu.insert(on_cpu.end(), {"--profile", "route.sqlite"});
  const ProgramRun cpu = run_program(on_cpu, folder_.path());
  EXPECT_EQ(cpu.exit_code, 2);
  EXPECT_THAT(cpu.errors, HasSubstr("the router runs on the CPU, where CUPTI sees nothing"));
  auto counters = sizes;
  counters.emplace_back("--counters");
  EXPECT_THAT(run_program(counters, folder_.path()).errors,
              HasSubstr("--counters: goes with --profile FILE"));
  if (!probe_driver().is_usable) {
    on_cpu.insert(on_cpu.end(), {"--set", "router.executor=auto"});
    const ProgramRun run = run_program(on_cpu, folder_.path());
    EXPECT_EQ(run.exit_code, 3);
    EXPECT_THAT(run.errors, HasSubstr("libcuda.so.1 not found"));
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "my.trace"));
}

TEST_F(Profile, LeavesTheProgramsOwnOptionsAlone) {
  const ProgramRun run = profile("-o out -q", "print --help");
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(run.output, "--help\n");
  EXPECT_EQ(run.errors, "");
}

}  // namespace
}  // namespace switchyard::testing
