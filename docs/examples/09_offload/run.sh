#!/usr/bin/env bash
# A model whose experts do not fit on the GPU: what waits for what, and which cache policy suits.
offload="switchyard offload -q --trace sample:demo --model deepseek_v2_lite --device rtx_4090"
$offload --cache 1GB
for policy in random lru lfu hobbit belady; do
  printf '%-7s' $policy
  $offload --cache 1GB --policy $policy --no-what-if | grep "hit ratio"
done
echo "== a cache that is too small"
$offload --cache 50MB
