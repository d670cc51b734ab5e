#!/usr/bin/env bash
# Writes what every example prints now into its expected.txt: look at the difference before you
# commit it. Usage: docs/examples/accept.sh [folder of the program, default build/dev/bin]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
export PATH="$(cd "${1:-$root/build/dev/bin}" && pwd):$PATH"
for script in "$root"/docs/examples/*/run.sh; do
  export HERE=${script%/run.sh}
  folder=$(mktemp -d)
  (cd "$folder" && bash "$script" > "$HERE/expected.txt" 2>&1) || true
  rm -r "$folder"
done
