#include "sim/layer_schedule.hpp"

#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace switchyard {

template class Registry<LayerSchedule>;

namespace {

// Backward work of a matrix product: the gradient of its input and that of its weights.
constexpr double kBackwardWork = 2;

double work_factor(const LayerContext& context) {
  return context.is_backward ? kBackwardWork : 1;
}

std::string pass_name(const LayerContext& context, const std::string& forward) {
  return context.is_backward ? forward + "_grad" : forward;
}

void scale(std::vector<RankWork>& work, double factor) {
  for (RankWork& of_rank : work) {
    of_rank.compute_s *= factor;
    of_rank.memory_s *= factor;
    of_rank.launch_s *= factor;
  }
}

Stage per_token_stage(const LayerContext& context, const std::string& name, Seconds each) {
  const double seconds = each.count() * work_factor(context);
  return {.name = pass_name(context, name),
          .kind = StageKind::OtherWork,
          .schedule = {},
          .work = [tokens = context.traffic.rank_tokens, seconds](const Share& share) {
            std::vector<RankWork> work(tokens.size());
            for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
              work[rank].compute_s = static_cast<double>(share.of(tokens[rank])) * seconds;
            }
            return work;
          }};
}

Stage shared_experts_stage(const LayerContext& context) {
  Matrix<std::int64_t> rows(context.traffic.rank_tokens.size(),
                            static_cast<std::size_t>(context.model.shared_experts));
  for (std::size_t rank = 0; rank < rows.rows(); ++rank) {
    for (std::int64_t& count : rows.row(rank)) {
      count = context.traffic.rank_tokens[rank];
    }
  }
  return {.name = pass_name(context, "shared_experts"),
          .kind = StageKind::SharedExperts,
          .schedule = {},
          .work = [rows = std::move(rows),
                   factor = work_factor(context),
                   &device = context.device,
                   &model = context.model](const Share& share) {
            std::vector<RankWork> work = shared_expert_work(device, model, rows, share);
            scale(work, factor);
            return work;
          }};
}

}  // namespace

Stage exchange_stage(const LayerContext& context, Direction direction) {
  const bool is_dispatch = direction == Direction::Dispatch;
  const bool from_tokens = is_dispatch != context.is_backward;
  Exchange exchange = exchange_of(from_tokens ? context.traffic : context.results,
                                  context.token_bytes,
                                  direction,
                                  context.fabric);
  const AllToAll& algorithm = is_dispatch ? context.dispatch : context.combine;
  const char* backward = is_dispatch ? "combine_grad" : "dispatch_grad";
  const char* forward = is_dispatch ? "dispatch" : "combine";
  Schedule schedule = algorithm.schedule(exchange);
  return {.name = context.is_backward ? backward : forward,
          .kind = is_dispatch ? StageKind::Dispatch : StageKind::Combine,
          .schedule = std::move(schedule),
          .exchange = std::move(exchange),
          .algorithm = &algorithm,
          .work = {}};
}

Stage experts_stage(const LayerContext& context, Matrix<std::int64_t> rows, std::int64_t shards) {
  return {.name = pass_name(context, "experts"),
          .kind = StageKind::Experts,
          .schedule = {},
          .work = [rows = std::move(rows),
                   shards,
                   factor = work_factor(context),
                   ranks = context.groups.ranks,
                   &device = context.device,
                   &model = context.model](const Share& share) {
            std::vector<RankWork> work = expert_work(device, model, rows, shards, share);
            if (work.size() == 1) {
              work.resize(ranks, work.front());
            }
            scale(work, factor);
            return work;
          }};
}

Stage routed_experts_stage(const LayerContext& context) {
  Matrix<std::int64_t> rows = context.traffic.expert_rows;
  clear_zero_cost(context.model, rows);
  return experts_stage(context, std::move(rows), context.shards);
}

Stage collective_stage(const LayerContext& context, const std::string& name, Schedule schedule) {
  return {.name = pass_name(context, name),
          .kind = StageKind::Collective,
          .schedule = std::move(schedule),
          .work = {}};
}

const std::vector<std::int64_t>& require_rank_tokens(const LayerContext& context,
                                                     const std::string& what) {
  if (context.traffic.rank_tokens.size() != context.groups.ranks) {
    throw MissingCapability(what + " needs the number of tokens that start on each rank",
                            {},
                            "this input has only counts per expert: use a trace with token ids "
                            "(L2)");
  }
  return context.traffic.rank_tokens;
}

std::vector<std::int64_t> times(const std::vector<std::int64_t>& counts, std::int64_t bytes_each) {
  std::vector<std::int64_t> bytes;
  bytes.reserve(counts.size());
  for (const std::int64_t count : counts) {
    bytes.push_back(count * bytes_each);
  }
  return bytes;
}

std::vector<Stage> surrounding_stages(const LayerContext& context, const OtherWork& other) {
  std::vector<Stage> stages;
  if (context.groups.layer_allreduce.count > 0 && !context.is_backward) {
    RingGroup everyone{.members = std::vector<std::size_t>(context.groups.ranks), .bytes = {}};
    std::iota(everyone.members.begin(), everyone.members.end(), std::size_t{0});
    everyone.bytes = equal_parts(context.groups.layer_allreduce.count, context.groups.ranks);
    stages.push_back(collective_stage(
        context, "layer_allreduce", ring_allreduce(context.groups.ranks, {everyone})));
  }
  const std::vector<std::int64_t>& tokens = context.traffic.rank_tokens;
  if (tokens.empty()) {
    return stages;
  }
  const bool is_split = context.groups.tensor > 1;
  const auto rings = [&] {
    return tensor_groups(context.groups, times(tokens, context.token_bytes.combine));
  };
  if (is_split) {
    stages.push_back(
        collective_stage(context, "tp_allgather", ring_allgather(context.groups.ranks, rings())));
  }
  if (other.attention.count() > 0) {
    stages.push_back(per_token_stage(context, "attention", other.attention));
  }
  if (is_split) {
    stages.push_back(collective_stage(
        context, "tp_reduce_scatter", ring_reduce_scatter(context.groups.ranks, rings())));
  }
  if (other.other.count() > 0) {
    stages.push_back(per_token_stage(context, "other_work", other.other));
  }
  if (context.model.shared_experts > 0) {
    stages.push_back(shared_experts_stage(context));
  }
  return stages;
}

}  // namespace switchyard
