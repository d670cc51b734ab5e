#!/usr/bin/env bash
# Builds with AddressSanitizer and UndefinedBehaviorSanitizer and runs the unit, contract, physics and
# import tests. Warnings are not errors here: GCC 12's flow analysis misfires on instrumented code.
set -euo pipefail
cd "$(dirname "$0")/.."
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
mkdir -p build
{ cmake --preset asan "${launcher[@]}" &&
    cmake --build --preset asan -j "$(nproc)" \
      --target unit_tests contract_tests physics_tests import_tests; } \
  >build/asan.log 2>&1 || { grep -E 'error|FAILED' build/asan.log | head -n 40; exit 1; }
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS="suppressions=$PWD/.ci/lsan_suppressions.txt:print_suppressions=0"
# One process a share of a program's tests: a process a test would start the sanitizers a thousand times.
run_share() {
  local label=$1 share=$2 log=build/asan-$1-$2.log
  GTEST_TOTAL_SHARDS=$shares GTEST_SHARD_INDEX=$share "build/asan/bin/${label}_tests" --gtest_brief=1 >"$log" 2>&1 || {
    grep -vE '^\[ +(OK|SKIPPED) ' "$log" | tail -n 80
    return 1
  }
  echo "$label, share $((share + 1)) of $shares: $(tail -n 3 "$log" | grep -E '^\[ +PASSED' || echo 'nothing failed')"
}
shares=$(nproc)
export shares
export -f run_share
for label in unit contract physics import; do
  for ((share = 0; share < shares; ++share)); do
    echo "$label $share"
  done
done | xargs -P "$shares" -L 1 bash -c 'run_share "$0" "$1"'
