#!/bin/sh
# Runs the task of examples/checkpoint-job/, stops its worker as a preemption does, and lets another
# worker continue. Takes about 10 seconds.
# Usage: examples/run-checkpoint-demo.sh [BINARY]. Replaces the directory ./demo-checkpoint.
set -eu

binary=${1:-build/native/sparklesworker}
case $binary in /*) ;; *) binary=$PWD/$binary ;; esac
job=$(cd "$(dirname "$0")" && pwd)/checkpoint-job
demo=$PWD/demo-checkpoint

[ -x "$binary" ] || { echo "run-checkpoint-demo.sh: $binary is not there; run 'make'" >&2; exit 1; }
rm -rf "$demo"
mkdir -p "$demo"
sed -e "s|@PROGRAM@|file://$job/count.py|" -e "s|@RESULTS@|file://$demo/results|" \
    "$job/tasks.json.in" > "$demo/tasks.json"

consume() {
  exec "$binary" consume --tasksFile "$demo/tasks.json" --tasksDir "$demo/worker-$1" \
      --cacheDir "$demo/cache" --checkpointEvery 2
}

echo '== The first worker begins to count'
(consume 1) & first=$!
sleep 3
echo '== It gets TERM, as before a preemption'
kill -TERM "$first"
wait "$first" || true
echo '== The log of the first attempt, and what it has left for the next one'
cat "$demo/results/count.1/stdout.txt"
(cd "$demo/.." && find demo-checkpoint/results/count.1/sparkles-checkpoint -type f | sort)

echo '== Another worker, which could be on another machine, continues'
(consume 2)
echo '== The log of the second attempt'
cat "$demo/results/count.1/stdout.txt"
