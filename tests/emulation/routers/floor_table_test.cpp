// The table "distance from the floor" of docs/kernels.md, made from the committed budgets: a test
// holds the page against it and prints the whole table where they differ.
//
//   floor    = max(bytes / memory bandwidth, operations / (multiprocessors x 128 lanes x clock))
//   counted  = max(floor, warp instructions / (multiprocessors x 4 schedulers x clock))
//
// Bytes are those that a token cannot do without, each read or written once: its logits or hidden
// state, what else the router reads of it, the ids and weights. What tokens share (gate, bias,
// means) is left out. Operations are those of the definition: for a logit a comparison, and one
// more for a softmax over all, a sigmoid or noise; for a coordinate its multiply-adds.
#include <algorithm>
#include <fstream>
#include <map>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "sim/model.hpp"
#include "tests/emulation/routers/budget_tables.hpp"
#include "tests/kernels/router_fixture.hpp"
#include "tests/support/folders.hpp"

namespace switchyard {
namespace {

constexpr double kIdAndWeight = 8;
constexpr double kHidden = 4096;        // of hidden_budgets.csv
constexpr double kSmallHidden = 200;    // of router_budgets.csv
constexpr double kLayoutOfChoice = 13;  // position, row and source (int32), crossings (a byte)
constexpr double kSector = 32;

/// What a token cannot do without.
struct Least {
  double bytes = 0;
  double operations = 0;
};

struct Row {
  std::string name;
  Least least;
  double instructions = 0;
  double sectors = 0;
};

struct Gpu {
  double memory = 0;           // bytes a second
  double multiprocessors = 0;  // with four schedulers of 32 lanes each
  double clock = 0;

  [[nodiscard]] double floor(const Least& least) const {
    return std::max(least.bytes / memory, least.operations / (multiprocessors * 128 * clock));
  }

  [[nodiscard]] double counted(const Row& row) const {
    return std::max(floor(row.least), row.instructions / (multiprocessors * 4 * clock));
  }
};

/// Bandwidth from the table of devices; multiprocessors and boost clock from the data sheets.
Gpu gpu_of(const std::string& device, double multiprocessors, double clock) {
  Parameters compute(nlohmann::json{{"device", device}}, {"test", ""});
  return {.memory = read_device(compute, "bf16").memory_bandwidth.value,
          .multiprocessors = multiprocessors,
          .clock = clock};
}

double logit_bytes(const std::string& format) {
  return format == "f32" ? 4 : 2;
}

std::vector<Row> top_k_rows() {
  std::vector<Row> rows;
  for (const auto& cells : budget_rows("tests/emulation/routers/counter_budgets.csv")) {
    const double experts = std::stod(cells.at(1));
    const double slots = std::stod(cells.at(2));
    const bool is_of_all = cells.at(3) == "all";
    rows.push_back({.name = fmt::format("`top_k` {}, {} of {}{}",
                                        cells[0],
                                        cells[2],
                                        cells[1],
                                        is_of_all ? ", softmax over all" : ""),
                    .least = {.bytes = experts * logit_bytes(cells[0]) + slots * kIdAndWeight,
                              .operations = experts + (is_of_all ? experts : slots)},
                    .instructions = std::stod(cells.at(4)),
                    .sectors = std::stod(cells.at(5))});
  }
  return rows;
}

std::vector<Row> group_rows() {
  std::vector<Row> rows;
  for (const auto& cells : budget_rows("tests/emulation/routers/group_top_k_budgets.csv")) {
    const double experts = std::stod(cells.at(1));
    rows.push_back(
        {.name = fmt::format("`group_limited_top_k` {}, {} of {}, {} of {} groups",
                             cells[0],
                             cells[2],
                             cells[1],
                             cells[4],
                             cells[3]),
         .least = {.bytes = experts * logit_bytes(cells[0]) + std::stod(cells[2]) * kIdAndWeight,
                   .operations = 2 * experts},
         .instructions = std::stod(cells.at(5)),
         .sectors = std::stod(cells.at(6))});
  }
  return rows;
}

/// What a router reads and writes of a token beside its logits and its choices, and the operations
/// of a logit.
struct Rule {
  double operations_of_logit = 1;
  double other_bytes = 0;
  double other_operations = 0;
  bool reads_logits = true;
};

Rule rule_of(const std::string& router, double experts) {
  const double id = 8;  // of a token or a sequence
  const std::map<std::string, Rule> rules{
      {"switch_top_1", {.operations_of_logit = 2}},
      {"noisy_top_k", {.operations_of_logit = 2}},
      {"sigmoid_bias", {.operations_of_logit = 2}},
      {"group_limited_top_k", {.operations_of_logit = 2}},
      {"random", {.reads_logits = false}},
      {"top_p", {.operations_of_logit = 2}},
      {"hash", {.other_bytes = id, .reads_logits = false}},
      {"expert_choice", {.operations_of_logit = 2}},
      {"moma", {.operations_of_logit = 2, .other_bytes = 1}},
      {"sinkhorn", {.operations_of_logit = 1 + 2 * 10}},  // 10 rounds over rows and columns
      {"adapmoe", {}},
      {"mc_moe", {.other_bytes = 4 * kSmallHidden, .other_operations = kSmallHidden}},
      {"mixture_of_depths", {.other_bytes = 1}},
      {"mor1e", {.other_bytes = id}},
      // The logits of the layer before in, those handed on out.
      {"moe_plus_plus", {.operations_of_logit = 2, .other_bytes = 2 * 4 * experts}},
      {"scmoe", {.other_bytes = kIdAndWeight}},
      {"read_me", {}}};
  const auto found = rules.find(router);
  EXPECT_NE(found, rules.end()) << router << " has a budget and no rule here";
  return found == rules.end() ? Rule{} : found->second;
}

std::vector<Row> router_rows() {
  std::vector<Row> rows;
  for (const auto& cells : budget_rows("tests/emulation/routers/router_budgets.csv")) {
    const double experts = std::stod(cells.at(1));
    nlohmann::json parameters = nlohmann::json::object();
    if (!cells.at(2).empty()) {
      parameters[cells[2]] = nlohmann::json::parse(cells.at(3));
    }
    const auto slots = static_cast<double>(make_router(cells[0], parameters)->top_k());
    const Rule rule = rule_of(cells[0], experts);
    const double logits = rule.reads_logits ? experts : 0;
    rows.push_back(
        {.name = fmt::format("`{}` f32, {} of {}", cells[0], slots, cells[1]),
         .least = {.bytes = 4 * logits + slots * kIdAndWeight + rule.other_bytes,
                   .operations = rule.operations_of_logit * logits + slots + rule.other_operations},
         .instructions = std::stod(cells.at(4)),
         .sectors = std::stod(cells.at(5))});
  }
  return rows;
}

std::vector<Row> layout_rows() {
  std::vector<Row> rows;
  for (const auto& cells : budget_rows("tests/emulation/routers/layout_budgets.csv")) {
    const double slots = std::stod(cells.at(1));
    rows.push_back({.name = fmt::format("layout {}, {} of {}, {} ranks",
                                        cells[0] == "token_major" ? "token-major" : "slot-major",
                                        cells[1],
                                        cells[2],
                                        cells[3]),
                    .least = {.bytes = slots * (4 + kLayoutOfChoice), .operations = slots},
                    .instructions = std::stod(cells.at(5)),
                    .sectors = std::stod(cells.at(6))});
  }
  for (const auto& cells : budget_rows("tests/emulation/routers/complete_route_budgets.csv")) {
    const double experts = std::stod(cells.at(1));
    const double slots = std::stod(cells.at(2));
    rows.push_back({.name = fmt::format("complete routing f32, {} of {}, {} tokens in {} launch{}",
                                        cells[2],
                                        cells[1],
                                        cells[0],
                                        cells[3],
                                        cells[3] == "1" ? "" : "es"),
                    .least = {.bytes = 4 * experts + slots * (kIdAndWeight + kLayoutOfChoice),
                              .operations = experts + 2 * slots},
                    .instructions = std::stod(cells.at(4)),
                    .sectors = std::stod(cells.at(5))});
  }
  return rows;
}

std::vector<Row> hidden_rows() {
  struct Stage {
    std::string name;
    double slots;
    double operations_of_coordinate;  // beside one for each expert where there is a gate
    bool has_gate;
  };

  // Mean and deviation take an addition each, weighing a multiplication; a block sum one addition,
  // a norm one multiply-add more.
  const std::map<std::string, Stage> stages{
      {"plain_gate", {"plain gate (`ac`, first layers)", 2, 0, true}},
      {"cluster_weights", {"cluster weights", 0, 2, false}},
      {"clustered_gate", {"`ac` with clusters", 2, 3, true}},
      {"locmoe", {"`locmoe`", 1, 1, false}},
      {"etr_token", {"`etr`, tokens choose", 1, 2, false}},
      {"etr_hybrid", {"`etr`, both choose", 1, 2, false}},
      {"lory", {"`lory`", 8, 1, false}}};
  std::vector<Row> rows;
  for (const auto& cells : budget_rows("tests/emulation/hidden/hidden_budgets.csv")) {
    const Stage& stage = stages.at(cells.at(0));
    const double experts = std::stod(cells.at(1));
    const double of_coordinate = stage.operations_of_coordinate + (stage.has_gate ? experts : 0);
    rows.push_back({.name = fmt::format("{}, hidden {}, {} experts", stage.name, kHidden, cells[1]),
                    .least = {.bytes = 4 * kHidden + stage.slots * kIdAndWeight,
                              .operations = of_coordinate * kHidden},
                    .instructions = std::stod(cells.at(3)),
                    .sectors = std::stod(cells.at(4))});
  }
  return rows;
}

std::string table_of(const std::vector<Row>& rows) {
  const Gpu h100 = gpu_of("h100_sxm", 132, 1.755e9);
  const Gpu b200 = gpu_of("gb200", 148, 1.85e9);
  std::string text =
      "| a token of | bytes | operations | requested / bytes | warp instructions | H100 floor, ps "
      "| "
      "counted | times | B200 floor, ps | counted | times |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Row& row : rows) {
    text += fmt::format("| {} | {:.0f} | {:.0f} | {:.1f} | {:.0f} |",
                        row.name,
                        row.least.bytes,
                        row.least.operations,
                        row.sectors * kSector / row.least.bytes,
                        row.instructions);
    for (const Gpu& gpu : {h100, b200}) {
      const double floor = gpu.floor(row.least);
      const double counted = gpu.counted(row);
      text +=
          fmt::format(" {:.0f} | {:.0f} | {:.1f} |", floor * 1e12, counted * 1e12, counted / floor);
    }
    text += '\n';
  }
  return text;
}

TEST(FloorTable, OfTheDocumentationFollowsFromTheCommittedBudgets) {
  std::vector<Row> rows;
  for (const auto& part :
       {top_k_rows(), group_rows(), router_rows(), layout_rows(), hidden_rows()}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  const std::string table = table_of(rows);
  std::ifstream file(testing::source_folder() / "docs/kernels.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(page.find(table), std::string::npos)
      << "docs/kernels.md, \"Distance from the floor\", should hold\n\n"
      << table;
}

TEST(FloorTable, HasARowForEveryRouter) {
  std::string named = "ac etr locmoe lory top_k ";  // whose rows are stages or logit formats
  for (const auto& cells : budget_rows("tests/emulation/routers/router_budgets.csv")) {
    named += cells.at(0) + " ";
  }
  for (const std::string& router : Registry<Router>::instance().names()) {
    EXPECT_NE(named.find(router + " "), std::string::npos) << router << " has no budget";
  }
}

}  // namespace
}  // namespace switchyard
