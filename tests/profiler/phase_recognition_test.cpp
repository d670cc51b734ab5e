// Phases of an MoE layer from names, ranges and the order of events.
#include "profiler/phases/phase_recognition.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

// A process whose kernels follow one another in stream 7.
class Trace {
 public:
  Trace() { timeline.tables.processes.emplace_back(); }

  Trace& kernel(const std::string& name, const std::string& operation = "") {
    TimelineEvent event{.start_ns = clock_, .duration_ns = 10, .stream = 7};
    event.device = 0;
    event.name = timeline.intern(name);
    event.correlation = clock_;
    if (!operation.empty()) {
      CollectiveDetail detail;
      detail.operation = timeline.intern(operation);
      event.collective = timeline.add(detail);
    }
    timeline.add(event);
    clock_ += 10;
    return *this;
  }

  Trace& host(EventKind kind,
              const std::string& name,
              std::int64_t start,
              std::int64_t duration,
              std::int64_t correlation = -1) {
    TimelineEvent event{.start_ns = start, .duration_ns = duration, .stream = 1};
    event.kind = kind;
    event.name = timeline.intern(name);
    event.correlation = correlation;
    timeline.add(event);
    return *this;
  }

  // Phases of the kernels, in order.
  std::vector<std::string> phases(const PhaseRules& rules = PhaseRules::defaults()) {
    assignment = recognise_phases(timeline, rules);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < timeline.events.size(); ++i) {
      if (timeline.events[i].kind == EventKind::Kernel) {
        names.emplace_back(moe_phase_name(assignment.phases[i]));
      }
    }
    return names;
  }

  EventTimeline timeline;
  PhaseAssignment assignment;

 private:
  std::int64_t clock_ = 1000;
};

using Names = std::vector<std::string>;

TEST(PhasePatterns, StarsStandForAnything) {
  EXPECT_TRUE(matches_pattern("deep_ep*dispatch", "void deep_ep::intranode::Dispatch<2>(int)"));
  EXPECT_TRUE(matches_pattern("gemm", "Grouped_GEMM"));
  EXPECT_FALSE(matches_pattern("dispatch*deep_ep", "deep_ep::dispatch"));
}

TEST(PhaseRecognition, KnowsTheKernelsOfALayer) {
  Trace trace;
  trace.kernel("void vllm::moe::topk_softmax<8>")
      .kernel("void deep_ep::intranode::notify_dispatch<8>(int const*)")
      .kernel("void deep_ep::intranode::dispatch<8, 768>(int4*)")
      .kernel("ep_scatter_kernel")
      .kernel("deep_gemm::sm90_m_grouped_fp8_gemm")
      .kernel("ep_gather_kernel")
      .kernel("void deep_ep::internode_ll::combine<true>(void*)")
      .kernel("flash_fwd_kernel")
      .kernel("my_secret_kernel");
  EXPECT_EQ(trace.phases(),
            (Names{"gate",
                   "wait",
                   "dispatch",
                   "permute",
                   "expert_gemm",
                   "unpermute",
                   "combine",
                   "other",
                   "unclassified"}));
}

TEST(PhaseRecognition, TellsExchangesApartByTheExpertGemm) {
  Trace trace;
  for (int layer = 0; layer < 2; ++layer) {
    trace.kernel("ncclDevKernel_SendRecv", "all_to_all")
        .kernel("grouped_gemm")
        .kernel("ncclDevKernel_SendRecv", "all_to_all")
        .kernel("flash_fwd_kernel");
  }
  EXPECT_EQ(trace.phases(),
            (Names{"dispatch",
                   "expert_gemm",
                   "combine",
                   "other",
                   "dispatch",
                   "expert_gemm",
                   "combine",
                   "other"}));
  EXPECT_EQ(trace.assignment.by_position, 4);
}

TEST(PhaseRecognition, LeavesExchangesAloneWhereNothingTells) {
  Trace trace;
  trace.kernel("ncclDevKernel_SendRecv").kernel("ncclDevKernel_SendRecv");
  EXPECT_EQ(trace.phases(), (Names{"exchange", "exchange"}));
}

TEST(PhaseRecognition, RangesReachKernelsThroughTheirLaunch) {
  Trace trace;
  trace.kernel("vectorized_elementwise_kernel").kernel("vectorized_elementwise_kernel");
  trace.host(EventKind::Range, "model", 0, 900)
      .host(EventKind::Range, "moe_permute", 100, 100)
      .host(EventKind::ApiCall, "cudaLaunchKernel", 150, 5, 1000)
      .host(EventKind::ApiCall, "cudaLaunchKernel", 250, 5, 1010);
  EXPECT_EQ(trace.phases(), (Names{"permute", "other"}));
}

TEST(PhaseRecognition, ARangeMayHaveThePhasesOwnName) {
  const PhaseRules rules = PhaseRules::defaults();
  for (std::size_t phase = 0; phase < kMoePhases; ++phase) {
    EXPECT_EQ(rules.find(RuleSubject::Range, kMoePhaseNames[phase]),
              std::optional(static_cast<MoePhase>(phase)))
        << kMoePhaseNames[phase];
  }
  EXPECT_EQ(rules.find(RuleSubject::Range, "aten::permute"), std::nullopt);
  EXPECT_EQ(rules.find(RuleSubject::Name, "permute"), std::nullopt) << "ranges only";
}

TEST(PhaseRecognition, ANameThatSaysThePhaseBeatsTheRange) {
  Trace trace;
  trace.kernel("deep_ep::intranode::combine");
  trace.host(EventKind::Range, "moe_dispatch", 100, 100)
      .host(EventKind::ApiCall, "cudaLaunchKernel", 150, 5, 1000);
  EXPECT_EQ(trace.phases(), Names{"combine"});
}

TEST(PhaseRecognition, CountsCrossingRangesAndOverlappingKernels) {
  Trace trace;
  trace.kernel("a").kernel("b");
  trace.timeline.events[1].start_ns -= 5;
  trace.host(EventKind::Range, "x", 100, 100).host(EventKind::Range, "y", 150, 100);
  (void)trace.phases();
  EXPECT_EQ(trace.assignment.unnested_ranges, 1);
  EXPECT_EQ(trace.assignment.overlapping, 1);
}

TEST(PhaseRecognition, SumsTimeAndBytes) {
  Trace trace;
  trace.kernel("grouped_gemm").kernel("grouped_gemm");
  trace.timeline.events[0].bytes = 100;
  const PhaseRules rules = PhaseRules::defaults();
  const auto totals = phase_totals(trace.timeline, recognise_phases(trace.timeline, rules), rules);
  const PhaseTotal& gemm = totals.at(0)[static_cast<std::size_t>(MoePhase::ExpertGemm)];
  EXPECT_EQ(gemm, (PhaseTotal{20, 2, 100, 10}));
}

TEST(PhaseRules, AFileOfOnesOwnComesFirst) {
  const TemporaryFolder folder;
  const auto path =
      folder.write("rules.json", R"({"rules":[{"phase":"gate","names":["my_secret"]}]})");
  Trace trace;
  trace.kernel("my_secret_kernel").kernel("grouped_gemm");
  EXPECT_EQ(trace.phases(PhaseRules::load(path)), (Names{"gate", "expert_gemm"}));
  (void)folder.write("rules.json",
                     R"({"replaces_defaults":true,"rules":[{"phase":"gate","names":["secret"]}]})");
  EXPECT_EQ(trace.phases(PhaseRules::load(path)), (Names{"gate", "unclassified"}));
}

TEST(PhaseRules, MistakesAreNamed) {
  const TemporaryFolder folder;
  const auto path = folder.write("rules.json", R"({"rules":[{"phase":"dispach","names":["x"]}]})");
  expect_error<InvalidInput>([&path] { (void)PhaseRules::load(path); },
                             "rules.json#/rules/0/phase");
  (void)folder.write("rules.json", R"({"rules":[{"phase":"gate"}]})");
  expect_error<InvalidInput>([&path] { (void)PhaseRules::load(path); }, "rules.json#/rules/0");
}

}  // namespace
}  // namespace switchyard
