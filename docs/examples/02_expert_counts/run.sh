#!/usr/bin/env bash
# All you have is how often each expert was chosen: enough for imbalance and compute, not for times
# of communication, which are refused rather than guessed.
switchyard import "$HERE/counts.csv" -o counts.load
switchyard inspect counts.load
switchyard simulate --trace counts.load --topology dgx_h100_8 --model mixtral_8x7b
switchyard simulate --trace counts.load --topology dgx_h100_8 --model mixtral_8x7b \
  --fail-if "step_s > 1ms" -q > /dev/null
echo "exit code $?"
