// A placement that somebody computed, from a file: see sim/placement_files.hpp for the formats.
#include "sim/placement.hpp"
#include "sim/placement_files.hpp"

namespace switchyard {
namespace {

class Table final : public PlacementRule {
 public:
  explicit Table(Parameters& parameters)
      : path_(parameters.require_text("path",
                                      "placement.csv",
                                      "file: ours or EPLB's (.json), TensorRT-LLM's (.yaml), or a "
                                      "CSV rank,moe_layer,experts (plain or gz)")) {}

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    return fit_placement(read_placement(path_), input);
  }

 private:
  std::string path_;
};

const Register<PlacementRule, Table> kTable{
    "table", "as a file says: ours, EPLB's, TensorRT-LLM's or a CSV table"};

}  // namespace
}  // namespace switchyard
