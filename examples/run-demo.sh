#!/bin/sh
# Runs the job of examples/kmer-job/, two tasks at a time, and shows the results.
# Usage: examples/run-demo.sh [BINARY]. Replaces the directory ./demo-results.
set -eu

binary=${1:-build/native/sparklesworker}
case $binary in /*) ;; *) binary=$PWD/$binary ;; esac
job=$(cd "$(dirname "$0")" && pwd)/kmer-job
demo=$PWD/demo-results

[ -x "$binary" ] || { echo "run-demo.sh: $binary is not there; run 'make' first" >&2; exit 1; }
rm -rf "$demo"
mkdir -p "$demo/store/cas"

# Stores an input of several tasks once, under the SHA-256 of its content.
store_by_hash() {
  hash=$(sha256sum "$1" | cut -d ' ' -f 1)
  cp "$1" "$demo/store/cas/$hash"
  echo "file://$demo/store/cas/$hash"
}

echo '== Making a synthetic genome'
awk -f "$job/make_genome.awk" > "$demo/genome.fa"
genome=$(store_by_hash "$demo/genome.fa")
kmers=$(store_by_hash "$job/kmers.awk")
gc=$(store_by_hash "$job/gc.awk")
sed -e "s|@GENOME@|$genome|" -e "s|@KMERS@|$kmers|" -e "s|@GC@|$gc|" \
    -e "s|@REFERENCE@|file://$demo/store/reference.tsv|" \
    -e "s|@RESULTS@|file://$demo/results|" "$job/tasks.json.in" > "$demo/tasks.json"

echo '== A worker runs two tasks at a time (its log goes to stderr)'
"$binary" consume --tasksFile "$demo/tasks.json" --tasksDir "$demo/tasks" \
    --cacheDir "$demo/cache" --slots 2

echo '== What came of the tasks (genome.7 fails on purpose: its reference does not exist)'
"$binary" summary --tasksFile "$demo/tasks.json"

echo '== Some results: the most frequent words of nine bases, and the GC content with its interval'
head -n 4 "$demo/results/genome.4/spectrum-k9.tsv"
cat "$demo/results/genome.6/gc-mean.csv"
echo '== All results'
(cd "$demo/.." && find demo-results/results -type f | sort)
