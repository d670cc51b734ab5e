#!/usr/bin/env bash
# A log of your own, one line a token: import it, say where the tokens sit, simulate it.
switchyard import "$HERE/tokens.csv" -o my.trace
switchyard simulate --trace my.trace --topology dgx_h100_8 --ranks 2 --model mixtral_8x7b
echo "exit code $?"
switchyard simulate --trace my.trace --topology dgx_h100_8 --ranks 2 --model mixtral_8x7b \
  --assign-ranks contiguous
