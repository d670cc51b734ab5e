#!/usr/bin/env bash
# From PyTorch (Kineto) traces of an MoE job, one a rank in a folder, to simulated and measured side
# by side: the profile, the routing of the same job, and the machine.
switchyard import "$HERE/kineto" -o measured.timeline
switchyard import "$HERE/../05_import_tokens/tokens.csv" -o my.trace --assign-ranks contiguous --ranks 2 -q
switchyard simulate --trace my.trace --topology dgx_h100_8 --ranks 2 --model mixtral_8x7b \
  --save simulated.sqlite -q -o summary.txt
switchyard compare simulated.sqlite measured.timeline --timeline both.json
switchyard compare simulated.sqlite measured.timeline -o table.txt --fail-if "expert_gemm.ratio > 1.5" \
  --fail-if "combine.ratio > 2"
echo "exit code $?"
