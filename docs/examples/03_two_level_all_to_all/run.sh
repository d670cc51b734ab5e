#!/usr/bin/env bash
# The same tokens with other orders of transfers: which one moves fewer bytes between nodes, and
# does it pay?
for algorithm in direct pairwise two_level node_dedup; do
  echo "== $algorithm"
  switchyard demo --all-to-all $algorithm -q | grep -E "step time|busiest link|traffic"
done
