// Runs a body over the tokens of a chunk on all cores. Tokens are independent, so results do not
// depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstddef>

namespace switchyard {

/// Fewer tokens than this are not worth waking other threads for.
inline constexpr std::size_t kParallelFromTokens = 256;

/// Makes one `make_scratch()` per thread and calls `body(token, scratch)` for each token. Neither
/// may throw: an exception cannot leave a parallel region.
template <class MakeScratch, class Body>
void for_each_token(std::size_t tokens, const MakeScratch& make_scratch, const Body& body) {
#pragma omp parallel if (tokens >= kParallelFromTokens)
  {
    auto scratch = make_scratch();
#pragma omp for schedule(static)
    for (std::size_t token = 0; token < tokens; ++token) {
      body(token, scratch);
    }
  }
}

/// The same for groups of consecutive tokens: `body(first, count, scratch)`, `count` <= `of_group`.
template <class MakeScratch, class Body>
void for_each_group(std::size_t tokens,
                    std::size_t of_group,
                    const MakeScratch& make_scratch,
                    const Body& body) {
  const std::size_t groups = (tokens + of_group - 1) / of_group;
#pragma omp parallel if (tokens >= kParallelFromTokens)
  {
    auto scratch = make_scratch();
#pragma omp for schedule(static)
    for (std::size_t group = 0; group < groups; ++group) {
      const std::size_t first = group * of_group;
      body(first, std::min(of_group, tokens - first), scratch);
    }
  }
}

}  // namespace switchyard
