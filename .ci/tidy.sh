#!/usr/bin/env bash
# clang-tidy over the files that changed since REVISION (default: the whole tree, about 40 minutes on
# two cores). Needs build/dev configured: cmake --preset dev.
#   .ci/tidy.sh [REVISION]
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ $# -gt 0 ]]; then
  mapfile -t files < <(git diff --name-only --diff-filter=d "$1" -- '*.cpp')
else
  mapfile -t files < <(git ls-files '*.cpp')
fi
[[ ${#files[@]} -gt 0 ]] || { echo "nothing changed"; exit 0; }
printf '%s\n' "${files[@]}" | grep -v '^tests/package/' |
  xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet
