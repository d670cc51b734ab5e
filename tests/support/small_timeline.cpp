#include "tests/support/small_timeline.hpp"

namespace switchyard::testing {

EventTimeline small_timeline() {
  EventTimeline timeline;
  timeline.tables.format = "by hand";
  timeline.tables.source = "test";
  for (std::uint16_t rank = 0; rank < 2; ++rank) {
    timeline.tables.processes.push_back({.rank = rank,
                                         .world_size = 2,
                                         .process_id = 100 + rank,
                                         .host = "node0",
                                         .epoch_unix_ns = 1'700'000'000'000'000'000});
    timeline.tables.devices.push_back({.process = rank, .device = rank, .name = "GPU"});
    const NameId kernel = timeline.intern("ncclDevKernel_SendRecv");
    const std::int32_t collective = timeline.add({.operation = timeline.intern("all_to_all"),
                                                  .data_type = timeline.intern("bfloat16"),
                                                  .group = timeline.intern("0"),
                                                  .element_bytes = 2,
                                                  .in_elements = 40,
                                                  .out_elements = 40,
                                                  .group_size = 2,
                                                  .in_splits = {30, 10},
                                                  .out_splits = {30, 10},
                                                  .ranks = {0, 1}});
    timeline.add({.start_ns = 1000,
                  .duration_ns = 8000,
                  .stream = 7,
                  .name = timeline.intern("layer"),
                  .process = rank,
                  .kind = EventKind::Range});
    timeline.add({.start_ns = 1100,
                  .duration_ns = 50,
                  .stream = 7,
                  .correlation = 5,
                  .name = timeline.intern("cudaLaunchKernel"),
                  .process = rank,
                  .kind = EventKind::ApiCall});
    timeline.add({.start_ns = 2000 + 100 * rank,
                  .duration_ns = 4000 - 100 * rank,
                  .stream = 20,
                  .correlation = 5,
                  .bytes = 80,
                  .name = kernel,
                  .collective = collective,
                  .device = rank,
                  .process = rank,
                  .kind = EventKind::Kernel});
    timeline.add({.start_ns = 7000,
                  .duration_ns = 500,
                  .stream = 20,
                  .bytes = 64,
                  .name = timeline.intern("copy"),
                  .device = rank,
                  .peer_device = 1 - rank,
                  .process = rank,
                  .kind = EventKind::PeerCopy});
  }
  return timeline;
}

}  // namespace switchyard::testing
