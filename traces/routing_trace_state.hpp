// What stands behind a RoutingTrace; private to traces/.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "traces/files/safetensors.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

struct RoutingTrace::State {
  TraceMetadata metadata;
  Location where;
  std::optional<SafetensorsFile> file;  // either file or columns holds the rows
  TraceColumns columns;
  std::vector<Chunk> chunks;
  std::vector<StepLayer> step_layers;
  std::size_t rows = 0;
  std::size_t source_ranks = 0;
  std::map<std::string, Tensor> arrays;  // by the names of the file format

  [[nodiscard]] const Tensor* array(const std::string& name) const {
    const auto found = arrays.find(name);
    return found == arrays.end() ? nullptr : &found->second;
  }

  [[nodiscard]] Location place(const std::string& name) const {
    return file ? file->where(name) : where;
  }

  void check();

 private:
  void check_array(const std::string& name,
                   std::initializer_list<TensorType> types,
                   std::size_t dimensions) const;
  void check_model();
  void check_chunk(std::size_t index) const;
  void check_chunks();
  void check_rows_are_owned() const;
  void group_chunks();
};

}  // namespace switchyard
