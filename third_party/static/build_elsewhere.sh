#!/bin/sh
# Builds the static binary again from a copy of the source in another directory, and compares both
# bit by bit.
# usage: build_elsewhere.sh BINARY TARGET COMMIT BUILD [DIRECTORY...]
# With a DIRECTORY (such as src/base) compiles only its files again, and links everything again.
# This is enough to show that neither the place nor the time of the build gets into the program.
set -eu
binary=$1 target=$2 commit=$3 build=$4
shift 4
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
elsewhere=$copy/elsewhere
mkdir "$elsewhere"
tar -c --exclude ./.git --exclude ./build --exclude ./dist . | tar -x -C "$elsewhere"
if [ $# != 0 ]; then
  tar -c "$build" | tar -x -C "$elsewhere"
  rm "$elsewhere/$build/sparklesworker"
  for directory; do rm "$elsewhere/$build/obj/$directory/"*.o; done
fi
# Removes make's flags, because this build must not share the jobs of the calling make.
MAKEFLAGS='' make -s -j"$(nproc)" -C "$elsewhere" TARGET="$target" COMMIT="$commit" static > "$copy/log" 2>&1 || {
  cat "$copy/log" >&2
  exit 1
}
for file in "$binary" "$binary.debug"; do
  cmp "$file" "$elsewhere/$file" || {
    echo "reproducible: a build in another directory gave another $file" >&2
    exit 1
  }
done
echo "reproducible: $(grep -c '^  CXX ' "$copy/log") objects compiled in another directory gave the same" \
  "$(sha256sum "$binary")"
