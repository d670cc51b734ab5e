// A placement that somebody computed: a CSV table `rank,moe_layer,experts` as serving systems
// publish them. The table's layers are matched to the trace's in order; experts may have several
// slots.
#include <fmt/format.h>

#include "sim/placement.hpp"
#include "traces/reading/placement_table.hpp"

namespace switchyard {
namespace {

class Table final : public PlacementRule {
 public:
  explicit Table(Parameters& parameters)
      : path_(parameters.require_text(
            "path", "placement.csv", "CSV with the columns rank,moe_layer,experts (plain or gz)")) {
  }

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    const PlacementTable table = read_placement_table(path_);
    check_fit(table, input);
    Placement placement;
    for (std::size_t layer = 0; layer < input.layers.size(); ++layer) {
      LayerPlacement& slots = placement.layers.emplace_back();
      for (const PlacementRow& row : table.layer_rows(layer)) {
        for (const std::int32_t expert : row.experts) {
          slots.slot_to_expert.push_back(expert);
          slots.slot_to_rank.push_back(static_cast<std::int32_t>(row.rank));
        }
      }
    }
    return placement;
  }

 private:
  static void check_fit(const PlacementTable& table, const PlacementInput& input) {
    const auto differs = [](std::int64_t in_table, std::size_t wanted) {
      return in_table != static_cast<std::int64_t>(wanted);
    };
    if (differs(table.ranks, input.ranks) || differs(table.experts, input.experts)) {
      throw InvalidInput(fmt::format("places {} experts on {} ranks; the scenario has {} on {}",
                                     table.experts,
                                     table.ranks,
                                     input.experts,
                                     input.ranks),
                         table.where,
                         fmt::format("simulate --ranks {}, or choose another table", table.ranks));
    }
    if (table.layers.size() < input.layers.size()) {
      throw InvalidInput(
          fmt::format(
              "places {} layers; the trace has {}", table.layers.size(), input.layers.size()),
          table.where);
    }
  }

  std::string path_;
};

const Register<PlacementRule, Table> kTable{"table",
                                            "as a CSV table says (rank,moe_layer,experts)"};

}  // namespace
}  // namespace switchyard
