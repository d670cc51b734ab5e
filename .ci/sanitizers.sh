#!/usr/bin/env bash
# Builds with AddressSanitizer and UndefinedBehaviorSanitizer and runs everything but the slow tests
# and those that drive the installed program.
set -euo pipefail
cd "$(dirname "$0")/.."
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
mkdir -p build
{ cmake --preset asan "${launcher[@]}" && cmake --build --preset asan -j "$(nproc)"; } \
  >build/asan.log 2>&1 || { tail -n 40 build/asan.log; exit 1; }
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir build/asan --output-on-failure -j "$(nproc)" -LE 'slow|golden|layering|gpu' \
  >build/asan-tests.log 2>&1 || { tail -n 100 build/asan-tests.log; exit 1; }
tail -n 12 build/asan-tests.log
