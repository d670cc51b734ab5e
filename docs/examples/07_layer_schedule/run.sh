#!/usr/bin/env bash
# The same tokens under other layer schedules and overlaps: step time, and what bounds each phase.
for schedule in two_all_to_all tensor_gather sharded_experts; do
  echo "== $schedule"
  switchyard demo -q --schedule $schedule --set parallel.tensor=8 | grep -A 3 -E "step time|bound by" | grep -vE "lower|imbalance|exposed"
done
echo "== training, two micro-batches side by side"
switchyard demo -q --pass training --overlap two_batch --set compute.attention_per_token=100ns |
  grep -E "step time|exposed"
