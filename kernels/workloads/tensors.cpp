// The user's own hidden states and gate weights from safetensors files (f32, f16, bf16), as dumped
// from a model. Tensors of a file belong to layers in the order of the numbers in their names, so
// "model.layers.10.gate" comes after "model.layers.9.gate".
#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "kernels/workloads/workload.hpp"
#include "traces/files/safetensors.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

/// Splits a name at its numbers, so that comparing compares them as numbers.
std::vector<std::pair<std::string, std::uint64_t>> natural_key(const std::string& name) {
  std::vector<std::pair<std::string, std::uint64_t>> key{{"", 0}};
  bool was_digit = false;
  for (const char letter : name) {
    const bool is_digit = letter >= '0' && letter <= '9';
    if (is_digit) {
      key.back().second = key.back().second * 10 + static_cast<std::uint64_t>(letter - '0');
    } else {
      if (was_digit) {
        key.emplace_back("", 0);
      }
      key.back().first.push_back(letter);
    }
    was_digit = is_digit;
  }
  return key;
}

/// The matrices of one file, one per layer.
class LayerMatrices {
 public:
  /// Takes the two-dimensional float tensors whose name contains `part`.
  LayerMatrices(const std::filesystem::path& path, const std::string& part)
      : where_{path.string(), ""}, file_(path) {
    for (const auto& [name, tensor] : file_.tensors()) {
      const bool is_float = tensor.type == TensorType::F32 || tensor.type == TensorType::F16 ||
                            tensor.type == TensorType::BF16;
      if (is_float && tensor.shape.size() == 2 && name.find(part) != std::string::npos) {
        tensors_.push_back(&tensor);
      }
    }
    std::sort(tensors_.begin(), tensors_.end(), [](const Tensor* a, const Tensor* b) {
      return natural_key(a->name) < natural_key(b->name);
    });
    check(part);
  }

  [[nodiscard]] const Location& where() const { return where_; }

  [[nodiscard]] std::size_t layers() const { return tensors_.size(); }

  [[nodiscard]] std::size_t rows() const { return tensors_.front()->shape[0]; }

  [[nodiscard]] std::size_t columns() const { return tensors_.front()->shape[1]; }

  /// Rows [first, first + out.rows()) of a layer; the only layer there is serves all.
  void copy_rows(std::size_t layer, std::size_t first, MatrixView<float> out) const {
    const Tensor& tensor = *tensors_[layers() == 1 ? 0 : layer];
    const FloatRows::Type type = tensor.type == TensorType::F32   ? FloatRows::Type::F32
                                 : tensor.type == TensorType::F16 ? FloatRows::Type::F16
                                                                  : FloatRows::Type::BF16;
    const FloatRows rows(type, tensor.bytes.data(), tensor.shape[0], tensor.shape[1]);
    for (std::size_t row = 0; row < out.rows(); ++row) {
      rows.copy_row(first + row, out.row(row));
    }
  }

 private:
  void check(const std::string& part) const {
    if (tensors_.empty()) {
      throw InvalidInput("no two-dimensional F32, F16 or BF16 tensor" +
                             (part.empty() ? std::string() : " with \"" + part + "\" in its name"),
                         where_,
                         "hidden states are [tokens, hidden], gate weights [experts, hidden]");
    }
    for (const Tensor* tensor : tensors_) {
      if (tensor->shape != tensors_.front()->shape) {
        throw InvalidInput(fmt::format("tensor {} is {}, but {} is {}",
                                       tensor->name,
                                       tensor->shape_text(),
                                       tensors_.front()->name,
                                       tensors_.front()->shape_text()),
                           where_,
                           "pick the right ones by a part of their names: hidden_name, gate_name");
      }
    }
    if (rows() == 0 || columns() == 0) {
      throw InvalidInput("tensor " + tensors_.front()->name + " is empty", where_);
    }
  }

  Location where_;
  SafetensorsFile file_;
  std::vector<const Tensor*> tensors_;
};

class Tensors final : public Workload {
 public:
  explicit Tensors(Parameters& parameters)
      : hidden_path_(parameters.require_text(
            "hidden", "x.safetensors", "file of hidden states [tokens, hidden], one per layer")),
        gate_path_(parameters.require_text(
            "gate", "w.safetensors", "file of gate weights [experts, hidden], one per layer")),
        ranks_(static_cast<std::size_t>(parameters.get_integer(
            "ranks", 1, {1, 65536}, "source ranks: tokens are cut into equal runs, in order"))) {
    const std::string hidden_name = parameters.get_text(
        "hidden_name", "", "use only hidden-state tensors with this in their name");
    const std::string gate_name =
        parameters.get_text("gate_name", "", "use only gate tensors with this in their name");
    if (parameters.is_describing()) {
      return;
    }
    hidden_ = std::make_unique<LayerMatrices>(hidden_path_, hidden_name);
    gate_ = std::make_unique<LayerMatrices>(gate_path_, gate_name);
    check();
  }

  [[nodiscard]] WorkloadShape shape() const override {
    return {.steps = 1,
            .layers = gate_->layers(),
            .ranks = ranks_,
            .hidden = hidden_->columns(),
            .experts = gate_->rows()};
  }

  [[nodiscard]] std::size_t token_count(std::size_t rank) const override {
    return first_token(rank + 1) - first_token(rank);
  }

  [[nodiscard]] std::string provenance() const override {
    return fmt::format("hidden states of {} through the gates of {}",
                       std::filesystem::path(hidden_path_).filename().string(),
                       std::filesystem::path(gate_path_).filename().string());
  }

  [[nodiscard]] Matrix<float> gate(std::size_t layer) const override {
    Matrix<float> gate(gate_->rows(), gate_->columns());
    gate_->copy_rows(layer, 0, gate.view());
    return gate;
  }

  [[nodiscard]] WorkloadTokens tokens(std::size_t /*step*/, std::size_t /*rank*/) const override {
    return {};
  }

  void fill_hidden(const WorkloadPlace& place,
                   MatrixView<float> hidden,
                   const RowsFilled& filled) const override {
    const std::size_t start = first_token(place.rank);
    fill_in_runs(
        hidden,
        [&](std::size_t first, MatrixView<float> run) {
          hidden_->copy_rows(place.layer, start + first, run);
        },
        filled);
  }

 private:
  void check() const {
    if (hidden_->columns() != gate_->columns()) {
      throw InvalidInput(fmt::format("gate rows have {} numbers, but a hidden state has {}",
                                     gate_->columns(),
                                     hidden_->columns()),
                         gate_->where(),
                         "gate weights are [experts, hidden]; transpose them if need be");
    }
    if (hidden_->layers() != 1 && hidden_->layers() != gate_->layers()) {
      throw InvalidInput(
          fmt::format(
              "gates for {} layers, but hidden states for {}", gate_->layers(), hidden_->layers()),
          gate_->where(),
          "give one set of hidden states, or one for each gate");
    }
  }

  [[nodiscard]] std::size_t first_token(std::size_t rank) const {
    return hidden_->rows() * rank / ranks_;
  }

  std::string hidden_path_;
  std::string gate_path_;
  std::size_t ranks_;
  std::unique_ptr<LayerMatrices> hidden_;  // null in describing mode
  std::unique_ptr<LayerMatrices> gate_;
};

const Register<Workload, Tensors> kTensors{"tensors", "your own hidden states and gate weights"};

}  // namespace
}  // namespace switchyard
