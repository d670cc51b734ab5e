// Plain matrices in, flows out: one all-to-all without any routing trace, in files that other
// programs read and write too.
#pragma once

#include <filesystem>
#include <string>

#include "core/matrix.hpp"
#include "core/numbers/units.hpp"
#include "sim/all_to_all.hpp"
#include "sim/network/network.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// Reads a square matrix of bytes, plain or gzip: one line per source rank, one number per
/// destination, separated by blanks, tabs or commas; empty lines and lines starting with '#' are
/// skipped. This is what nccl-tests' alltoallv reads through ALLTOALLV_MATRIX_FILE; versions of it
/// that count in KiB want `unit` = 1 KiB. Throws InvalidInput with the line for rows of unequal
/// length, fractions of a byte, negative or absurd numbers.
Matrix<std::int64_t> read_byte_matrix(const std::filesystem::path& path, Bytes unit = {1});

/// The same file back; amounts are rounded to the nearest multiple of `unit`.
std::string byte_matrix_text(const Matrix<std::int64_t>& bytes, Bytes unit = {1});

/// The exchange that moves a plain matrix: copies only, no tokens. Throws InvalidInput when the
/// fabric has fewer GPUs than the matrix has rows.
Exchange exchange_of_matrix(Matrix<std::int64_t> bytes, const Fabric& fabric);

/// CSV of every transfer: source,destination,bytes,start_s,finish_s; seconds with all digits.
/// Throws MissingCapability for a network that does not time single transfers (`bound`).
std::string flows_csv(const Schedule& schedule, const Timeline& timeline);

}  // namespace switchyard
