// A row-major table and its non-owning view.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "core/check.hpp"

namespace switchyard {

/// Non-owning view of a row-major table, [rows, columns].
template <class T>
class MatrixView {
 public:
  MatrixView() = default;

  MatrixView(T* values, std::size_t rows, std::size_t columns)
      : values_(values), rows_(rows), columns_(columns) {}

  /// What may be written may be read.
  operator MatrixView<const T>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<T>) {
    return {values_, rows_, columns_};
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }

  [[nodiscard]] std::size_t columns() const { return columns_; }

  [[nodiscard]] bool empty() const { return rows_ == 0 || columns_ == 0; }

  T& operator()(std::size_t row, std::size_t column) const {
    return values_[row * columns_ + column];
  }

  [[nodiscard]] std::span<T> row(std::size_t index) const {
    return {values_ + index * columns_, columns_};
  }

  [[nodiscard]] std::span<T> values() const { return {values_, rows_ * columns_}; }

  /// `count` rows from `first` on.
  [[nodiscard]] MatrixView part(std::size_t first, std::size_t count) const {
    return {values_ + first * columns_, count, columns_};
  }

 private:
  T* values_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
};

/// Owning row-major table, [rows, columns].
template <class T>
class Matrix {
 public:
  Matrix() = default;

  Matrix(std::size_t rows, std::size_t columns, T fill = {})
      : rows_(rows), columns_(columns), values_(rows * columns, fill) {}

  [[nodiscard]] std::size_t rows() const { return rows_; }

  [[nodiscard]] std::size_t columns() const { return columns_; }

  [[nodiscard]] bool empty() const { return values_.empty(); }

  T& operator()(std::size_t row, std::size_t column) { return values_[row * columns_ + column]; }

  const T& operator()(std::size_t row, std::size_t column) const {
    return values_[row * columns_ + column];
  }

  [[nodiscard]] std::span<T> row(std::size_t index) {
    return {values_.data() + index * columns_, columns_};
  }

  [[nodiscard]] std::span<const T> row(std::size_t index) const {
    return {values_.data() + index * columns_, columns_};
  }

  [[nodiscard]] std::span<T> values() { return values_; }

  [[nodiscard]] std::span<const T> values() const { return values_; }

  [[nodiscard]] MatrixView<const T> view() const { return {values_.data(), rows_, columns_}; }

  [[nodiscard]] MatrixView<T> view() { return {values_.data(), rows_, columns_}; }

  bool operator==(const Matrix&) const = default;

 private:
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::vector<T> values_;
};

}  // namespace switchyard
