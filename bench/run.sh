#!/bin/sh
# Measures the plugin and prints a Markdown table: command, measured, must reach, others.
# Ends with 1 if a figure misses what it must reach.
#
#     bench/run.sh
#
# Needs python3, GNU time (/usr/bin/time) and the test control plane (`make testenv`). It runs
# for some minutes; on a machine that does other work the figures mean little.
#
#     BENCH_PODS    pods of the live cluster (default 20000); 2 other objects for 5 pods
#     BENCH_FILES   manifest files (default 4000), 4 objects each
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
cd "$here/.."
if ! /usr/bin/time -f %M true 2>/dev/null; then
    echo "bench/run.sh needs GNU time as /usr/bin/time" >&2
    exit 2
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' HUP INT TERM

cargo build --release --locked --bin kubectl-progrc >&2
# The live benchmark may build the binary again, with features of its own dependencies: what is
# measured is the one that is shipped.
target=$(cargo metadata --format-version 1 --no-deps --locked |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
cp "$target/release/kubectl-progrc" "$scratch/kubectl-progrc"
BENCH_BINARY=$scratch/kubectl-progrc
export BENCH_BINARY

missed=0
echo "| command | measured | must reach | others |"
echo "|---|---|---|---|"
python3 bench/figures.py "$scratch" || missed=1
cargo bench --locked --quiet --bench live || missed=1
echo
cargo bench --locked --quiet --bench phases -- "$scratch/manifests-1" || missed=1
exit "$missed"
