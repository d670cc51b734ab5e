// The routing trace: which experts each token chose, layer by layer. Rows live either in a mapped
// safetensors file (zero copy, may be larger than memory) or in memory; readers cannot tell.
//
// | tensor         | shape, type                | meaning                                         |
// |----------------|----------------------------|-------------------------------------------------|
// | `chunks`       | [chunks, 5] i64            | step, layer, source rank, first row, row count  |
// | `expert_ids`   | [rows, k] u8 / u16 / i32   | logical ids; all-ones = no expert               |
// | `gate_weights` | [rows, k] f16 / bf16 / f32 | optional; as used in combine                    |
// | `logits`       | [rows, experts]            | optional; lets other routers be replayed        |
// | `token_ids`, `sequence_ids`, `modality`, `alive`, `precision` | [rows] | optional            |
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "traces/metadata.hpp"

namespace switchyard {

/// Tokens of one source rank at one MoE layer of one step; its rows are contiguous, in token order.
struct Chunk {
  std::int64_t step = 0;
  std::int64_t layer = 0;         // the model's own MoE layer number
  std::int64_t source_rank = -1;  // -1 = not recorded
  std::int64_t first_row = 0;
  std::int64_t row_count = 0;

  bool operator==(const Chunk&) const = default;
};

/// Expert id of an empty choice: fewer than k experts, skipped, or dropped by the router.
inline constexpr std::int32_t kNoExpert = -1;
/// More experts than any file may claim: a bound for ids that are read.
inline constexpr std::int64_t kMostExperts = std::int64_t{1} << 20;

/// A view of rows of expert ids, [rows, k], in whichever integer type the file has.
class ExpertIds {
 public:
  enum class Type { U8, U16, I32 };

  ExpertIds(Type type, const void* values, std::size_t rows, std::size_t top_k)
      : type_(type), values_(values), rows_(rows), top_k_(top_k) {}

  [[nodiscard]] std::size_t rows() const { return rows_; }

  [[nodiscard]] std::size_t top_k() const { return top_k_; }

  [[nodiscard]] Type type() const { return type_; }

  /// One id, or kNoExpert. Convenient, not fast: hot loops use visit().
  [[nodiscard]] std::int32_t at(std::size_t row, std::size_t choice) const;

  /// Calls `use` with a std::span<const T>, T the stored type, of rows * k values, row-major. An
  /// all-ones value of T means no expert.
  template <class Use>
  decltype(auto) visit(const Use& use) const {
    const std::size_t count = rows_ * top_k_;
    switch (type_) {
      case Type::U8:
        return use(std::span(static_cast<const std::uint8_t*>(values_), count));
      case Type::U16:
        return use(std::span(static_cast<const std::uint16_t*>(values_), count));
      default:
        return use(std::span(static_cast<const std::int32_t*>(values_), count));
    }
  }

 private:
  Type type_;
  const void* values_;
  std::size_t rows_;
  std::size_t top_k_;
};

/// Numbers per row in whichever float type the file has; read out as float.
class FloatRows {
 public:
  enum class Type { F16, BF16, F32 };

  FloatRows(Type type, const void* values, std::size_t rows, std::size_t columns)
      : type_(type), values_(values), rows_(rows), columns_(columns) {}

  [[nodiscard]] std::size_t rows() const { return rows_; }

  [[nodiscard]] std::size_t columns() const { return columns_; }

  [[nodiscard]] Type type() const { return type_; }

  [[nodiscard]] float at(std::size_t row, std::size_t column) const;
  /// Converts row `row` into `out`, which holds columns() numbers.
  void copy_row(std::size_t row, std::span<float> out) const;

 private:
  Type type_;
  const void* values_;
  std::size_t rows_;
  std::size_t columns_;
};

/// All chunks of one MoE layer in one step, in order of source rank.
struct StepLayer {
  std::int64_t step = 0;
  std::int64_t layer = 0;
  std::vector<std::size_t> chunks;  // indices into RoutingTrace::chunks()
};

/// Rows to be made into a trace in memory or in a file. Every optional column is either absent or
/// has one entry per row.
struct TraceColumns {
  std::vector<Chunk> chunks;
  std::vector<std::int32_t> expert_ids;    // [rows, k], kNoExpert = none
  std::vector<float> gate_weights;         // [rows, k] or empty
  std::vector<float> logits;               // [rows, experts] or empty
  std::vector<std::int64_t> token_ids;     // [rows] or empty
  std::vector<std::int64_t> sequence_ids;  // [rows] or empty
  std::vector<std::uint8_t> modality;      // [rows] or empty
  std::vector<std::uint8_t> alive;         // [rows] or empty; 0 = token skipped this layer
  std::vector<std::uint8_t> precision;     // [rows] or empty
};

class RoutingTrace {
 public:
  /// Maps a native trace file. Checks the header, every shape, range and offset, and that chunks
  /// lie inside the rows; does not read the rows. Throws InvalidInput.
  static RoutingTrace open(const std::filesystem::path& path);
  /// Takes columns in memory; throws InvalidInput (against `where`) if their sizes do not agree.
  static RoutingTrace from_columns(TraceMetadata metadata,
                                   TraceColumns columns,
                                   const Location& where = {});

  RoutingTrace(RoutingTrace&&) noexcept;
  RoutingTrace& operator=(RoutingTrace&&) noexcept;
  RoutingTrace(const RoutingTrace&) = delete;
  RoutingTrace& operator=(const RoutingTrace&) = delete;
  ~RoutingTrace();

  [[nodiscard]] const TraceMetadata& metadata() const;
  /// Ids or Weights.
  [[nodiscard]] Fidelity fidelity() const;
  /// The file, or where the columns came from; for messages.
  [[nodiscard]] const Location& where() const;

  [[nodiscard]] std::span<const Chunk> chunks() const;
  /// Grouped by (step, layer), ascending.
  [[nodiscard]] const std::vector<StepLayer>& step_layers() const;
  [[nodiscard]] std::size_t row_count() const;
  [[nodiscard]] std::size_t top_k() const;
  /// Number of logical experts per layer.
  [[nodiscard]] std::size_t expert_count() const;
  /// Highest recorded source rank + 1, or 0 when no chunk has one.
  [[nodiscard]] std::size_t source_rank_count() const;

  [[nodiscard]] ExpertIds expert_ids(const Chunk& chunk) const;
  [[nodiscard]] std::optional<FloatRows> gate_weights(const Chunk& chunk) const;
  [[nodiscard]] std::optional<FloatRows> logits(const Chunk& chunk) const;
  [[nodiscard]] std::optional<std::vector<std::int64_t>> token_ids(const Chunk& chunk) const;
  [[nodiscard]] std::optional<std::vector<std::int64_t>> sequence_ids(const Chunk& chunk) const;
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> modality(const Chunk& chunk) const;
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> alive(const Chunk& chunk) const;
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> precision(const Chunk& chunk) const;

  /// The chunk has been used: its pages may leave this process's memory.
  void release(const Chunk& chunk) const;

  /// Reads every row: ids in range, no expert twice in a token, weights finite. Throws InvalidInput
  /// naming the first bad row.
  void check_rows() const;

 private:
  struct State;
  explicit RoutingTrace(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The rows of a chunk, or of any range of rows named by first_row and row_count, with whichever
/// columns the trace has; without chunks.
TraceColumns copy_rows(const RoutingTrace& trace, const Chunk& rows);

/// The message for an expert id outside [0, experts): shared by everyone who reads rows.
[[noreturn]] void throw_expert_out_of_range(const RoutingTrace& trace,
                                            const Chunk& chunk,
                                            std::size_t row_in_chunk,
                                            std::int64_t id);

}  // namespace switchyard
