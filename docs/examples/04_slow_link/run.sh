#!/usr/bin/env bash
# One NIC at half its rate: how much of the step does it cost, and is it the bottleneck?
switchyard demo -q | grep -E "step time|busiest link"
echo "== node0.nic0 at half its rate"
switchyard demo -q --fail-if "step_s > 650us" --set \
  'network.links=[{"link": "node0.nic0->group0.leaf0", "bandwidth_factor": 0.5}]' 2>&1 |
  grep -E "step time|busiest link|limit"
