#!/bin/sh
# Builds the static binary once more, from a copy of the source in another folder, and compares the
# two bit for bit. usage: build_elsewhere.sh BINARY TARGET COMMIT
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/elsewhere"
tar -c --exclude ./.git --exclude ./build --exclude ./dist . | tar -x -C "$copy/elsewhere"
make -s -C "$copy/elsewhere" TARGET="$2" COMMIT="$3" static > "$copy/log" 2>&1 || {
  cat "$copy/log" >&2
  exit 1
}
for file in "$1" "$1.debug"; do
  cmp "$file" "$copy/elsewhere/$file" || {
    echo "reproducible: a build in another folder gave another $file" >&2
    exit 1
  }
done
echo "reproducible: a build in another folder gave the same $(sha256sum "$1")"
