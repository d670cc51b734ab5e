// The registry of algorithms and the choice of matrix they share.
#include "sim/all_to_all.hpp"

namespace switchyard {

template class Registry<AllToAll>;

Deduplication get_deduplication(Parameters& parameters) {
  const bool once = parameters.get_flag(
      "once_per_rank", false, "send a token once to a rank that holds several of its experts");
  return once ? Deduplication::PerRank : Deduplication::None;
}

const Matrix<std::int64_t>& bytes_to_move(const Exchange& exchange, Deduplication deduplication) {
  if (deduplication == Deduplication::None) {
    return exchange.copy_bytes;
  }
  if (exchange.rank_bytes.rows() != exchange.copy_bytes.rows()) {
    throw MissingCapability(
        "sending a token once per rank or node needs the expert ids of each token",
        {},
        "this input has only counts: choose an algorithm without de-duplication (--all-to-all "
        "direct), or record a trace with token ids (L2)");
  }
  return exchange.rank_bytes;
}

}  // namespace switchyard
