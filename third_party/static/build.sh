#!/bin/sh
# Builds the toolchain and the libraries of the static lane, one recipe after the other. A recipe
# runs again only if it, its source's version, these scripts or a recipe before it changed.
. "$(dirname "$0")/settings.sh"

RECIPES="toolchain musl compiler-rt libcxx headers zlib openssl abseil curl"

for tool in clang-19 clang++-19 ld.lld-19 llvm-ar-19 llvm-config-19 cmake ninja dpkg-source perl; do
  command -v "$tool" > /dev/null ||
    fail "$tool is missing; 'make deps-static' (as root) installs what this lane needs"
done
[ "${1:-}" = --no-fetch ] || "$HERE/fetch.sh"
mkdir -p "$TREE/done" "$WORK" "$TREE/logs"

. "$HERE/steps.sh"

key=$(cat "$HERE/settings.sh" "$HERE/steps.sh" | sha256sum)
for recipe in $RECIPES; do
  key=$(printf '%s' "$key" | cat - "$HERE/recipes/$recipe.sh" "$CACHE/resolved.txt" | sha256sum)
  key=${key%% *}
  [ "$(cat "$TREE/done/$recipe" 2> /dev/null)" = "$key" ] && continue
  say "building $recipe"
  started=$(date +%s)
  if ! (set -x; . "$HERE/recipes/$recipe.sh") > "$TREE/logs/$recipe.log" 2>&1; then
    tail -30 "$TREE/logs/$recipe.log" >&2
    fail "$recipe failed; the whole output is in $TREE/logs/$recipe.log"
  fi
  echo "$key" > "$TREE/done/$recipe"
  say "$recipe took $(($(date +%s) - started)) s"
done
rm -rf "$WORK"
