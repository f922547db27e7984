#!/bin/sh
# fuzz.sh BUILD SECONDS [FILTER]: runs each fuzz target in BUILD whose name holds FILTER, SECONDS
# each, starting from its corpus. New inputs go to BUILD/corpus, crashing ones to BUILD/artifacts.
set -eu

build=$1
seconds=$2
filter=${3:-}
here=$(dirname "$0")
mkdir -p "$build/artifacts"

ran=0
for target in "$build"/*"$filter"*_fuzz; do
  [ -x "$target" ] || continue
  name=$(basename "$target" _fuzz)
  found=$build/corpus/$name
  log=$build/artifacts/$name.log
  mkdir -p "$found"
  set -- -max_total_time="$seconds" -timeout=20 -artifact_prefix="$build/artifacts/$name-"
  [ -f "$here/$name.dict" ] && set -- "$@" -dict="$here/$name.dict"
  echo "fuzz: $name for $seconds s"
  # The fuzzer adds inputs to the first directory and only reads the second.
  if ! "$target" "$@" -print_final_stats=1 "$found" "$here/corpus/$name" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    exit 1
  fi
  sed -n 's/^stat::number_of_executed_units: */fuzz: inputs tried: /p' "$log"
  ran=$((ran + 1))
done
if [ "$ran" -eq 0 ]; then
  echo "fuzz: no target in $build matches '$filter'" >&2
  exit 1
fi
echo "fuzz: $ran targets, no crash"
